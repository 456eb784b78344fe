"""What is no site, and why: tensors that no fault can reach yet."""

from __future__ import annotations

import onnx
import onnx.parser

from onnxfi.faults import SiteTable, enumerate_sites
from onnxfi.graph import load


def kinds(found: SiteTable) -> dict[str, str]:
    return {site.name: site.kind.value for site in found.sites}


def reasons(found: SiteTable) -> dict[str, str]:
    return {left.name: left.reason for left in found.left_out}


def table(text: str) -> SiteTable:
    model = load(onnx.parser.parse_model(f'<ir_version: 10, opset_import: ["" : 17]> {text}'))
    return enumerate_sites(model.index, model.inputs, model.outputs)


def test_an_input_that_is_returned_takes_no_port():
    found = table("agraph (float[2] x) => (float[2] x, float[2] y) { y = Relu(x) }")
    assert reasons(found) == {"x": "an input that is also an output: nothing can come between"}
    assert kinds(found) == {"y": "activation"}


def test_damaged_nodes_without_inputs_are_looked_past():
    proto = onnx.parser.parse_model(
        '<ir_version: 10, opset_import: ["" : 17]> agraph (float[2] x) => (float[2] y, float[2] z)'
        "{ y = Relu(x) z = Cast(x) }"
    )
    del proto.graph.node[1].input[:]
    model = load(proto)
    found = enumerate_sites(model.index, model.inputs, model.outputs)
    assert "y" in kinds(found)
