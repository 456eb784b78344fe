import numpy as np
import pytest

from onnxfi.bits import ElementType
from onnxfi.errors import RewriteError
from onnxfi.graph import TensorSpec, expose, load, verify_untouched

FEEDS = {"c": np.array(True), "x": np.array([1.0, -2.0], np.float32)}
TEXT = """agraph (bool c, float[2] x) => (float[2] y) <float[2] w = {1, 2}> {
    a = Relu(x)
    b = Add(a, w)
    y = If (c) <then_branch = t () => (float[2] o) { o = Neg(b) },
                else_branch = e () => (float[2] p) { p = Exp(b) }>
}"""


def test_values_become_outputs_in_order(parse, run):
    model = load(parse(TEXT))
    exposed = expose(model, ["b", "y", "a", "x", "w", "b"])
    verify_untouched(model, exposed)
    assert [spec.name for spec in exposed.outputs] == ["y", "b", "a", "x", "w"]
    assert exposed.outputs[1] == TensorSpec(name="b", element=ElementType.FLOAT)
    y, b, a, x, w = run(exposed, FEEDS)
    np.testing.assert_array_equal(y, -b)
    np.testing.assert_array_equal(a, [1, 0])
    np.testing.assert_array_equal(b, a + w)
    np.testing.assert_array_equal(x, FEEDS["x"])


def test_exposed_values_are_returned(parse):
    exposed = expose(load(parse(TEXT)), ["a"])
    assert exposed.index.returned("a")
    assert exposed.index.shape_of("a") == (2,)


def test_what_can_not_be_exposed(parse):
    model = load(parse(TEXT))
    with pytest.raises(RewriteError, match="is in a control-flow body"):
        expose(model, ["If#1/then_branch/o"])
    with pytest.raises(RewriteError, match="does not exist"):
        expose(model, ["nothing"])


def test_values_without_a_known_type(parse, run):
    """onnx's shape inference knows no type here, onnxruntime does."""
    proto = parse(
        """agraph (float[2, 4] x) => (float[2, 4] y) {
            a, s = com.microsoft.SkipLayerNormalization(x, x, g)
            b, i = Unique(x)
            q = SequenceConstruct(x, a)
            y = Identity(a)
        }""",
        imports={"com.microsoft": 1},
    )
    proto.graph.node.insert(0, proto.graph.node[0].__class__(op_type="Constant", output=["g"]))
    proto.graph.node[0].attribute.add(name="value_floats", type=6, floats=[1, 1, 1, 1])
    model = load(proto)
    assert model.index.element_of("s") is None
    exposed = expose(model, ["s", "q", "i"])
    verify_untouched(model, exposed)
    x = np.arange(8, dtype=np.float32).reshape(2, 4)
    y, s, q, i = run(exposed, {"x": x})
    assert s.dtype == np.float32
    np.testing.assert_array_equal(q[0], x)
    np.testing.assert_array_equal(q[1], y)
    assert i.dtype == np.int64
