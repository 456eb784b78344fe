"""Sparse tensors written out are what onnxruntime makes of them."""

import numpy as np
import pytest
from onnx import TensorProto, helper

from onnxfi.errors import ModelError, RewriteError
from onnxfi.graph import densify, initializer_words, load, replace_initializers, serialize

TEXT = "agraph (float[4] x) => (float[3] y) { y = MatMul(x, s) }"
BRANCHES = """agraph (bool c, float[4] x) => (float[3] y) {
    y = If (c) <
        then_branch = t () => (float[3] o) { o = MatMul(x, s) },
        else_branch = e () => (float[3] p) { q = MatMul(x, s) p = Neg(q) }>
}"""
FEEDS = {"x": np.array([1.0, -2.0, 3.0, 0.5], np.float32)}
PLACES = {
    "linear": ([3], [0, 5, 10]),
    "linear, out of order": ([3], [10, 0, 5]),
    "coordinates": ([3, 2], [0, 0, 1, 2, 3, 1]),
    "one place twice": ([3, 2], [1, 2, 0, 0, 1, 2]),
    "nothing": ([0], []),
}


def sparse(dims, places, element=TensorProto.FLOAT, name="s"):
    count = dims[0]
    return helper.make_sparse_tensor(
        helper.make_tensor(name, element, [count], list(range(1, count + 1))),
        helper.make_tensor("", TensorProto.INT64, dims, places),
        [4, 3],
    )


@pytest.mark.parametrize("form", PLACES)
def test_as_onnxruntime_has_them(parse, run, same, form):
    proto = parse(TEXT)
    proto.graph.sparse_initializer.append(sparse(*PLACES[form]))
    model = load(proto)
    dense = densify(model)
    (entry,) = dense.index.stored.values()
    assert (entry.name, entry.shape, entry.sparse) == ("s", (4, 3), False)
    assert same(run(dense, FEEDS), run(model, FEEDS))
    assert load(serialize(dense).data).index.initializers["s"].shape == (4, 3)
    assert densify(dense) is dense
    assert model.index.initializers["s"].sparse


def test_in_bodies(parse, run, same):
    proto = parse(BRANCHES)
    for branch in proto.graph.node[0].attribute:
        branch.g.sparse_initializer.append(sparse(*PLACES["coordinates"]))
    model = load(proto)
    names = ["If#1/then_branch/s", "If#1/else_branch/s"]
    assert list(model.index.initializers) == names
    dense = densify(model)
    assert [entry.shape for entry in dense.index.initializers.values()] == [(4, 3)] * 2
    for choice in (True, False):
        feeds = {"c": np.array(choice), **FEEDS}
        assert same(run(dense, feeds), run(model, feeds))


@pytest.mark.parametrize("element", [TensorProto.INT8, TensorProto.BFLOAT16, TensorProto.INT4])
def test_of_other_types(parse, element):
    proto = parse(TEXT)
    proto.graph.sparse_initializer.append(sparse([2], [1, 11], element))
    model = load(proto)
    values = initializer_words(model, "s")
    words = initializer_words(densify(model), "s")
    assert words.size == 12
    assert words[[1, 11]].tolist() == values.tolist()
    assert np.count_nonzero(words) == 2


@pytest.mark.parametrize(("dims", "places"), [([1], [12]), ([1], [-1]), ([1, 2], [0, 3])])
def test_what_lies_outside_is_refused(parse, dims, places):
    proto = parse(TEXT)
    proto.graph.sparse_initializer.append(sparse(dims, places))
    with pytest.raises(ModelError, match="an index of sparse tensor 's' lies outside of it"):
        densify(load(proto))


def test_only_before_edits(parse):
    proto = parse(TEXT)
    proto.graph.sparse_initializer.append(sparse([1], [3]))
    edited = replace_initializers(load(proto), {"s": np.zeros(1, np.uint32)})
    with pytest.raises(RewriteError, match="before a model is edited"):
        densify(edited)
