"""The table of input slots against the schemas of onnx and of the installed onnxruntime."""

from __future__ import annotations

import re

import onnx.defs
import pytest
from onnxruntime.capi import onnxruntime_pybind11_state as ort

from onnxfi.faults.sites import Role, role_of
from onnxfi.graph import Node
from onnxfi.graph.ops import OPERATORS

NAMES = {
    Role.SCALE: re.compile(r"scales?|absmax", re.IGNORECASE),
    Role.ZERO_POINT: re.compile(r"zero_points?|_zp\b", re.IGNORECASE),
    Role.BIAS: re.compile(r"bias|beta|^b$|^c$", re.IGNORECASE),
}
# Scales of values that are no quantization parameters, and operators left to be data.
OTHER_SCALES = re.compile(
    r"Normalization|RMSNorm|Resize|Upsample|Swish|SiLU|TorchEmbedding|QOrdered|WithOrder|Paged|MoE"
    r"|Engram|LinearAttention|MatMulNBits(Mlp|Qkv)|TreeEnsemble|Scaler|Quick"
)


def schemas():
    found = {}
    both = [*onnx.defs.get_all_schemas(), *ort.get_all_operator_schema()]
    for schema in both:
        if schema.domain in ("", "com.microsoft"):
            inputs = [item.name for item in schema.inputs]
            known = found.get((schema.domain, schema.name), (0, []))
            if schema.since_version >= known[0]:
                found[schema.domain, schema.name] = (schema.since_version, inputs)
    return {key: inputs for key, (_, inputs) in found.items()}


def role(domain: str, op_type: str, slot: int) -> Role:
    node = Node(name="n", op_type=op_type, domain=domain, inputs=(), outputs=())
    return role_of(node, slot)


def test_table_names_real_operators_and_slots():
    known = schemas()
    internal = {"QLinearConvTranspose", "QLinearReduceMean"}
    for entry, row in OPERATORS.items():
        slots = row.slots
        if not slots:
            continue
        op_type = entry.rpartition(":")[2]
        domains = [domain for domain in ("", "com.microsoft") if (domain, op_type) in known]
        assert domains or op_type in internal or op_type == "ArrayFeatureExtractor", entry
        for domain in domains:
            if ":" in entry and not entry.startswith(domain + ":"):
                continue
            inputs = known[domain, op_type]
            for slot, letter in enumerate(slots[: len(inputs)]):
                pattern = NAMES.get(Role(letter))
                found = inputs[slot]
                assert pattern is None or pattern.search(found), (entry, slot, found)


@pytest.mark.parametrize("wanted", [Role.SCALE, Role.ZERO_POINT])
def test_no_quantization_parameter_is_missed(wanted):
    for (domain, op_type), inputs in schemas().items():
        if OTHER_SCALES.search(op_type):
            continue
        for slot, name in enumerate(inputs):
            if NAMES[wanted].search(name):
                assert role(domain, op_type, slot) is wanted, (domain, op_type, slot, name)


def test_special_rules():
    assert [role("com.microsoft", "QLinearConcat", slot).value for slot in range(8)] == list(
        "sz.sz.sz"
    )
    assert role("", "ReduceSum", 1) is Role.STRUCTURE
    assert role("", "ReduceSum", 0) is Role.DATA
    assert role("", "Conv", 2) is Role.BIAS
    assert role("own", "Conv", 2) is Role.DATA
    assert role("", "Attention", 2) is Role.DATA
    assert role("com.microsoft", "Attention", 2) is Role.BIAS
    assert role("", "Add", 9) is Role.DATA
