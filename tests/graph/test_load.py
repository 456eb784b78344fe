import hashlib

import numpy as np
import pytest

from onnxfi.bits import ElementType
from onnxfi.errors import ModelError, UnsupportedModelError
from onnxfi.graph import Limits, TensorSpec, load, serialize


def refusal(data):
    """Why a model is refused, None if it loads; any other error is a defect."""
    try:
        model = load(data)
    except ModelError as error:
        return str(error)
    assert model.outputs
    assert model.index.nodes is not None
    assert serialize(model).data
    return None


SMALL = "agraph (float[N, 2] x) => (float[N, 2] y) <float[2] w = {1, 2}> { y = Add(x, w) }"


def test_path_bytes_and_message_give_the_same_model(tmp_path, parse):
    proto = parse(SMALL)
    data = proto.SerializeToString(deterministic=True)
    path = tmp_path / "m.onnx"
    path.write_bytes(data)
    models = [load(path), load(str(path)), load(data), load(proto)]
    assert {model.sha256 for model in models} == {hashlib.sha256(data).hexdigest()}
    assert [model.source for model in models] == [str(path)] * 2 + ["<bytes>", "<ModelProto>"]
    assert len({serialize(model).data for model in models}) == 1


def test_a_message_is_not_changed(parse):
    proto = parse(
        "agraph (float[2] x) => (float[2] y) { c = Constant<value_float=1.0>() y = Add(x, c) }"
    )
    before = proto.SerializeToString()
    model = load(proto)
    assert proto.SerializeToString() == before
    proto.graph.node[1].op_type = "Mul"
    assert model.index.nodes[0].op_type == "Add"


def test_facts_about_a_model(parse):
    model = load(parse(SMALL, opset=15, ir_version=8))
    assert (model.opset, model.ir_version) == (15, 8)
    spec = TensorSpec(name="x", element=ElementType.FLOAT, shape=("N", 2))
    assert model.inputs == (spec,)
    assert [output.name for output in model.outputs] == ["y"]


def test_initializers_repeated_as_inputs_are_no_inputs(parse):
    proto = parse(SMALL, ir_version=3)
    proto.graph.input.add().CopyFrom(proto.graph.input[0])
    proto.graph.input[1].name = "w"
    assert [spec.name for spec in load(proto).inputs] == ["x"]


def test_loading_what_was_serialized_changes_nothing_more(parse):
    text = """agraph (bool c, float[2] x) => (float[2] y) {
        k = Constant<value_floats=[1.0, 2.0]>()
        a = Add(x, k)
        b = Add(a, k)
        y = If (c) <then_branch = t () => (float[2] o) {
                        q = Constant<value_float = 3.0>()
                        o = Mul(b, q) },
                    else_branch = e () => (float[2] p) { p = Neg(b) }>
    }"""
    once = serialize(load(parse(text))).data
    assert serialize(load(once)).data == once


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (b"", "is empty"),
        (b"hello, this is no model at all", "not an ONNX model"),
        (b"version https://git-lfs.github.com/spec/v1\noid sha256:00", "git lfs pull"),
        (b"\x08\x0a", "holds no graph"),
    ],
)
def test_what_is_no_model_is_refused(data, message):
    with pytest.raises(ModelError, match=message):
        load(data)


def test_the_runtimes_own_format_is_refused():
    with pytest.raises(UnsupportedModelError, match=r"\.ort"):
        load(b"\x18\0\0\0ORTM" + b"\0" * 32)


def test_every_truncation_is_refused_or_loads(parse):
    data = parse(SMALL).SerializeToString()
    for length in range(len(data)):
        message = refusal(data[:length])
        assert message is None or "\n" not in message


def test_missing_file_folder_and_wrong_type(tmp_path):
    with pytest.raises(ModelError, match="does not exist"):
        load(tmp_path / "nowhere.onnx")
    with pytest.raises(ModelError, match="is not a file"):
        load(tmp_path)
    with pytest.raises(ModelError, match="from int"):
        load(7)


def test_inputs_without_a_type(parse):
    proto = parse(SMALL)
    proto.graph.input[0].ClearField("type")
    with pytest.raises(ModelError, match="'x' has no type"):
        load(proto)


def test_outputs_without_a_type_have_the_inferred_one(parse):
    proto = parse(SMALL)
    proto.graph.output[0].ClearField("type")
    assert load(proto).outputs == (TensorSpec(name="y", element=ElementType.FLOAT, shape=("N", 2)),)


def test_models_that_import_no_version(parse):
    proto = parse(SMALL)
    del proto.opset_import[:]
    with pytest.raises(ModelError, match="imports no version"):
        load(proto)


def test_declared_types_of_all_kinds(parse):
    proto = parse("""agraph (seq(float[2]) s, optional(float[2]) o, map(int64, float) m, float[2] x)
        => (float[2] y) { y = Relu(x) }""")
    sparse = proto.graph.input.add(name="p")
    sparse.type.sparse_tensor_type.elem_type = 1
    opaque = proto.graph.input.add(name="q")
    opaque.type.opaque_type.name = "thing"
    specs = load(proto).inputs
    assert [spec.kind for spec in specs] == [
        "sequence", "optional", "map", "tensor", "sparse", "tensor",
    ]  # fmt: skip
    assert [spec.element for spec in specs[:2]] == [ElementType.FLOAT] * 2
    assert specs[5].element is None


def test_negative_dimensions_mean_any(parse):
    proto = parse(SMALL)
    proto.graph.input[0].type.tensor_type.shape.dim[0].dim_value = -1
    assert load(proto).inputs[0].shape == (None, 2)


def test_declared_shapes_cost_nothing(parse):
    """Data propagation in onnx's shape inference would make an object per element."""
    size = 10**12
    model = load(parse(f"agraph (int64[{size}] x) => (int64[{size}] y) {{ y = Add(x, x) }}"))
    assert model.index.shape_of("y") == (size,)


def test_a_name_repeated_very_often_is_no_burden(parse):
    proto = parse("agraph (float[2] x) => (float[2] y) { y = Relu(x) }")
    for number in range(20_000):
        proto.graph.node.add(op_type="Neg", name="same", input=["x"], output=[f"v{number}"])
    assert load(proto).index.nodes[-1].name == "same#20000"


def test_file_size_cap(tmp_path, parse):
    path = tmp_path / "m.onnx"
    path.write_bytes(parse(SMALL).SerializeToString())
    with pytest.raises(ModelError, match="file_bytes"):
        load(path, limits=Limits(file_bytes=10))
    with pytest.raises(ModelError, match="file_bytes"):
        load(path.read_bytes(), limits=Limits(file_bytes=10))


def test_names_that_are_no_text_are_refused(parse):
    data = parse(SMALL).SerializeToString()
    for name in (b"\x01w", b"\x01y"):
        damaged = data.replace(name, name[:1] + b"\xff")
        assert damaged != data
        with pytest.raises(ModelError, match="not UTF-8"):
            load(damaged)


def test_random_damage_never_escapes_as_another_error(parse):
    text = """agraph (bool c, float[2, N] x) => (float[2, N] y) <int64[2] s = {2, -1}> {
        k = Constant<value_floats=[1.0]>()
        a = local.f(x)
        r = Reshape(a, s)
        y = If (c) <then_branch = t () => (float[2, N] o) { o = Add(r, k) },
                    else_branch = e () => (float[2, N] p) <float[1] b = {3}> { p = Mul(r, b) }>
    }
    <domain: "local", opset_import: ["": 17]> f (x) => (y) { y = Relu(x) }"""
    data = parse(text, imports={"local": 1}).SerializeToString()
    rng = np.random.default_rng(5)
    loaded = 0
    for _ in range(400):
        damaged = bytearray(data)
        for place in rng.integers(0, len(data), rng.integers(1, 4)):
            damaged[place] = rng.integers(0, 256)
        message = refusal(bytes(damaged))
        assert message is None or "\n" not in message
        loaded += message is None
    assert loaded > 20
