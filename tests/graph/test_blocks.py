"""Elements below one byte in tensors of uint8: which tensors, and what is in them."""

import numpy as np
import onnx
import onnx.numpy_helper
import pytest
from onnx import helper

from onnxfi.bits import ElementType
from onnxfi.graph import initializer_words, lift_initializers, load, replace_initializers, save

MS = "com.microsoft"
BYTES = np.arange(4 * 2 * 8, dtype=np.uint8).reshape(4, 2, 8) * 3


def model(*nodes, stored=None, outputs=("y",)):
    tensors = {"B": BYTES, "s": np.ones((4, 2), np.float32), **(stored or {})}
    graph = helper.make_graph(
        list(nodes),
        "g",
        [helper.make_tensor_value_info("x", 1, ["N", 32])],
        [onnx.ValueInfoProto(name=name) for name in outputs],
        [onnx.numpy_helper.from_array(array, name) for name, array in tensors.items()],
    )
    imports = [helper.make_opsetid("", 21), helper.make_opsetid(MS, 1)]
    return load(helper.make_model(graph, opset_imports=imports, ir_version=10))


def product(bits=4, weights="B", inputs=(), **attributes):
    return helper.make_node(
        "MatMulNBits",
        ["x", weights, "s", *inputs],
        ["y"],
        domain=MS,
        **({"K": 32, "N": 4, "bits": bits, "block_size": 16} | attributes),
    )


@pytest.mark.parametrize(
    ("bits", "element", "shape"),
    [
        (2, ElementType.UINT2, (4, 2, 32)),
        (4, ElementType.UINT4, (4, 2, 16)),
        (8, ElementType.UINT8, (4, 2, 8)),
    ],
)
def test_blocks_are_described_in_elements(bits, element, shape):
    found = model(product(bits)).index
    entry = found.initializers["B"]
    assert (entry.element, entry.shape, entry.nbytes) == (element, shape, 64)
    assert entry.in_bytes == (bits < 8)
    assert found.stored["B"] == entry
    # Operators read bytes.
    assert (found.element_of("B"), found.shape_of("B")) == (ElementType.UINT8, (4, 2, 8))


def test_words_are_elements_the_first_one_lowest(tmp_path):
    loaded = model(product())
    words = initializer_words(loaded, "B")
    assert words[:4].tolist() == [0, 0, 3, 0]
    words[[1, 2]] = 15, 1
    save(replace_initializers(loaded, {"B": words}), tmp_path / "m.onnx")
    proto = onnx.load(tmp_path / "m.onnx")
    (changed,) = (each for each in proto.graph.initializer if each.name == "B")
    expected = BYTES.copy()
    expected[0, 0, :2] = 0xF0, 0x01
    np.testing.assert_array_equal(onnx.numpy_helper.to_array(changed), expected)


def test_an_input_in_its_place_takes_bytes():
    lifted = lift_initializers(model(product()), ["B"])
    (spec,) = (each for each in lifted.inputs if each.name == "B")
    assert (spec.element, spec.shape) == (ElementType.UINT8, (4, 2, 8))


def test_zero_points_have_an_element_for_each_half_of_a_byte():
    zeros = np.full((4, 1), 0x88, np.uint8)
    entry = model(product(inputs=["z"]), stored={"z": zeros}).index.initializers["z"]
    assert (entry.element, entry.shape) == (ElementType.UINT4, (4, 2))
    floats = model(product(inputs=["z"]), stored={"z": np.ones((4, 2), np.float32)})
    assert not floats.index.initializers["z"].in_bytes


def test_readers_that_agree_share_elements():
    """An embedding that is the last layer's matrix, too, reshaped for one of them."""
    gather = helper.make_node(
        "GatherBlockQuantized", ["t", "i", "s"], ["e"], domain=MS, bits=4, block_size=16
    )
    reshape = helper.make_node("Reshape", ["B", "shape"], ["t"])
    stored = {"i": np.array([1, 2]), "shape": np.array([4, 16])}
    found = model(gather, reshape, product(), stored=stored, outputs=("y", "e"))
    assert found.index.initializers["B"].element is ElementType.UINT4


@pytest.mark.parametrize(
    "other",
    [
        helper.make_node("Cast", ["B"], ["c"], to=1),
        helper.make_node("Identity", ["B"], ["c"]),
        product(2, inputs=[]),
    ],
    ids=["reads bytes", "is returned", "other width"],
)
def test_readers_that_do_not_agree_see_bytes(other):
    other = onnx.NodeProto.FromString(other.SerializeToString())
    other.output[0] = "c"
    found = model(product(), other, outputs=("y", "c"))
    entry = found.index.initializers["B"]
    assert (entry.element, entry.shape) == (ElementType.UINT8, (4, 2, 8))


def test_bytes_in_a_kernels_own_order_stay_bytes():
    assert not model(product(weight_prepacked=1)).index.initializers["B"].in_bytes
