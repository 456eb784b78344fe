"""Sites of what comes into the bodies of loops anew in each iteration."""

from __future__ import annotations

from onnx import parser

from onnxfi.faults import enumerate_sites
from onnxfi.graph import load

LOOPS = """
<ir_version: 10, opset_import: ["" : 21]>
loops (float[2] x, float[3,2] z) => (float[2] y, float[2] last, float[3,2] all)
<int64 n = {3}, bool go = {1}>
{
    [loop] y, kept = Loop (n, go, x, x) <body = b1
        (int64 i, bool c, float[2] h, float[2] same)
        => (bool c2, float[2] h2, float[2] same)
        { c2 = Identity (c)
          f = Cast <to = 1> (i)
          h2 = Mul (h, f) } >
    [scan] last, all = Scan <num_scan_inputs = 1, body = b2
        (float[2] s, float[2] now) => (float[2] s2, float[2] out)
        { s2 = Add (s, now)
          out = Neg (s) } > (x, z)
}
"""


def test_what_loops_hand_to_their_bodies():
    model = load(parser.parse_model(LOOPS))
    found = enumerate_sites(model.index, model.inputs, model.outputs)
    assert {site.name: site.kind.value for site in found.sites if site.body} == {
        "loop/body/h": "state",
        "loop/body/f": "activation",
        "loop/body/c2": "activation",
        "loop/body/h2": "activation",
        "scan/body/s": "state",
        "scan/body/now": "activation",
        "scan/body/s2": "activation",
        "scan/body/out": "activation",
    }
    reasons = {left.name: left.reason for left in found.left_out}
    structural = "structural: a shape, axis, index, size or condition"
    assert reasons["loop/body/i"] == structural
    assert reasons["loop/body/c"] == structural
    assert reasons["loop/body/same"].startswith("an input that is also an output")
    state = found.by_name()["loop/body/h"]
    assert (state.node, state.op_type, state.layer) == ("loop", "Loop", "loop")
    assert state.repeated
    assert state.at(7).name == "loop/body/h@7"


def test_bodies_of_other_operators_are_left_out():
    text = """
    <ir_version: 10, opset_import: ["" : 21, "own" : 1]>
    own (float[2] x) => (float[2] y)
    {
        [call] y = own.Each <body = b (float[2] a) => (float[2] b2) { b2 = Neg (a) }> (x)
    }
    """
    model = load(parser.parse_model(text))
    found = enumerate_sites(model.index, model.inputs, model.outputs)
    reason = "computed inside the body of an operator other than If, Loop and Scan"
    reasons = {left.name: left.reason for left in found.left_out}
    assert reasons["call/body/b2"] == reasons["call/body/a"] == reason
