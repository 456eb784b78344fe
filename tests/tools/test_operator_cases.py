"""`tools/operator_cases.py`: onnx's operator cases, all injectable tensors open."""

from __future__ import annotations

import sys
from collections import Counter
from dataclasses import replace

import numpy as np
import pytest
from onnx import TensorProto, helper
from operators.campaigns import carried_lines, carry_out
from operators.cases import Case, collect
from operators.check import Finding, check
from operators.table import KNOWN, broken, lines

from onnxfi import Campaign
from onnxfi.inject import arm

#: All of them take a minute; these, one in fifteen by name, are those of every run.
EVERY = 15


@pytest.fixture(scope="module")
def cases():
    return collect()


def test_operators_hold_with_every_tensor_open(cases, capsys):
    findings = [check(case) for case in cases[::EVERY]]
    with capsys.disabled():
        sys.stdout.write(f"\n{next(lines(findings))}\n")
    assert not broken(findings)
    states = Counter(each.state for each in findings)
    assert states["held"] > 85
    assert states["nothing"] + states["not run"] + states["rounded"] < 5


def test_what_is_known_not_to_hold_does_not(cases):
    found = {case.name: check(case) for case in cases if case.name in KNOWN}
    assert found.keys() == KNOWN.keys()
    assert {each.state for each in found.values()} == {"broken"}


@pytest.mark.parametrize("engine", ["auto", "ports", "cut"])
def test_campaigns_are_refused_first_or_run(cases, engine):
    found = [carry_out(case, engine, 3) for case in cases[:: 25 * EVERY]]
    assert Counter(each.state for each in found)["ran"] >= 2
    assert not [each for each in found if each.state == "late"]


def test_what_fails_late_is_told(monkeypatch):
    assert carry_out(_case(), "bake").said == "bake"
    assert carry_out(_case(), "lift").state == "refused"

    def fail(*_):
        raise ValueError("it fell")

    monkeypatch.setattr(Campaign, "run", fail)
    late = carry_out(_case(), "bake")
    assert "late: add: ValueError: it fell" in list(carried_lines([late], "bake"))


def _case() -> Case:
    graph = helper.make_graph(
        [helper.make_node("Add", ["x", "x"], ["y"])],
        "g",
        [helper.make_tensor_value_info("x", TensorProto.INT32, [3])],
        [helper.make_tensor_value_info("y", TensorProto.INT32, [3])],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=8)
    x = np.ones(3, np.int32)
    return Case(name="add", model=model, inputs={"x": x}, expected=[2 * x], rtol=0, atol=0)


def test_a_wrong_port_would_be_seen(monkeypatch):
    assert check(_case()).state == "held"
    assert check(replace(_case(), expected=[np.zeros(3, np.int32)])).state == "held"

    def disarmed(opened, _scenario, **given):
        return arm(opened, None, **given)

    monkeypatch.setattr("operators.check.arm", disarmed)
    assert check(_case()).reason == "'x' armed: other bits than a faulty input gives"


def test_all_that_does_not_hold_is_named():
    findings = [
        Finding(case="a", state="held", sites=3, left_out=("x: empty tensor",)),
        Finding(case="b", state="rounded", sites=2),
        Finding(case="c", state="broken", reason="it fell"),
        Finding(case="test_scan_sum", state="broken", reason="it fell"),
        Finding(case="d", state="not loaded"),
        Finding(case="e", state="nothing", reason="x: a sequence, not a tensor"),
    ]
    text = "\n".join(lines(findings))
    assert text.startswith("2 of 5 operator cases that onnxruntime loads hold with all of their 5")
    assert "does not hold: c: it fell" in text
    assert f"does not hold: test_scan_sum: {KNOWN['test_scan_sum']}" in text
    assert "no tensor to inject into: e: x: a sequence" in text
    assert "left out of cases that hold: 1 inputs and outputs: empty tensor" in text
    assert [each.case for each in broken(findings)] == ["c"]
