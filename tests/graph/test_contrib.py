"""The table of element types is checked against the schemas of the installed onnxruntime."""

import onnxruntime.capi.onnxruntime_pybind11_state as ort_state
import pytest
from onnx import NodeProto

from onnxfi.bits import ElementType
from onnxfi.graph import load
from onnxfi.graph._contrib import typed_like

# Its schema ties the output to the zero point by the kernel only, not by the type variable.
_BY_KERNEL = {"QGemm"}


def schemas():
    return [
        schema
        for schema in ort_state.get_all_operator_schema()
        if schema.domain in ("com.microsoft", "com.microsoft.nchwc")
    ]


def test_outputs_have_the_type_of_the_named_input():
    checked = 0
    for schema in schemas():
        names = [str(slot) for slot in range(len(schema.inputs))]
        node = NodeProto(op_type=schema.name, domain=schema.domain, input=names)
        for slot, output in enumerate(schema.outputs):
            like = typed_like(node, slot)
            if like is not None and (schema.name not in _BY_KERNEL or slot):
                assert schema.inputs[int(like)].typeStr == output.typeStr, (schema.name, slot)
                checked += 1
    assert checked > 80


def test_unknown_operators_tell_nothing():
    assert typed_like(NodeProto(op_type="Magic", domain="com.microsoft", input=["x"])) is None
    assert typed_like(NodeProto(op_type="Attention", domain="my.company", input=["x"])) is None
    assert typed_like(NodeProto(op_type="QGemm", domain="com.microsoft", input=["x"])) is None


@pytest.mark.parametrize("element", ["uint8", "int8"])
def test_types_pass_through_chains_of_both_kinds(parse, element):
    proto = parse(
        f"""agraph ({element}[1, 4] x) => (float[1, 4] y)
        <float s = {{0.5}}, {element} z = {{3}}> {{
            a = com.microsoft.QLinearAdd(x, s, z, x, s, z, s, z)
            b = Flatten(a)
            c = com.microsoft.QLinearSigmoid<domain_in = 1>(b, s, z, s, z)
            d = Identity(c)
            e = com.microsoft.QLinearAdd(d, s, z, d, s, z, s, z)
            y = DequantizeLinear(e, s, z)
        }}""",
        imports={"com.microsoft": 1},
    )
    index = load(proto).index
    for value in "abcde":
        assert index.element_of(value) is ElementType(element), value
    assert index.element_of("y") is ElementType.FLOAT


def test_types_are_seen_through_scopes(parse):
    proto = parse(
        """agraph (bool c, float16[2] x) => (float16[2] y) {
            y = If (c) <
                then_branch = t () => (float16[2] o) { g = com.microsoft.Gelu(x) o = Neg(g) },
                else_branch = e () => (float16[2] p) { p = Identity(x) }>
        }""",
        imports={"com.microsoft": 1},
    )
    index = load(proto).index
    assert index.element_of("If#1/then_branch/g") is ElementType.FLOAT16
