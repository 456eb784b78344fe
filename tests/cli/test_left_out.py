"""What a campaign's settings choose and is no site is said by run, report and their documents."""

from __future__ import annotations

import json

import pytest
from onnx import parser, save

TEXT = """
<ir_version: 10, opset_import: ["" : 17]>
agraph (float[N, 4] x) => (float[N, 2] y)
<float[4, 3] w = {1, 2, 3, 4, 5, 6, 7, 8, 9, 1, 2, 3}, float[2] spare = {1, 2}, int64[1] k = {2}>
{
    m = MatMul(x, w)
    y, places = TopK(m, k)
}
"""
STRUCTURE = "structural: a shape, axis, index, size or condition"
UNREAD = "not read by any operator"


@pytest.fixture
def top(tmp_path):
    path = tmp_path / "top.onnx"
    save(parser.parse_model(TEXT), path)
    return path


@pytest.fixture
def start(run_cli, top):
    def run(*more):
        words = ("run", "runs/a", "--model", top, "--inputs", "random:4:0", "-n", 5, *more)
        return run_cli(*words)

    return run


def test_run_and_report_name_them_with_their_reasons(start, run_cli):
    said = start("--targets", "weight,activation")
    expected = f"3 tensors of the chosen kinds: 2 {UNREAD} (spare, places); 1 {STRUCTURE} (k)"
    assert f"left out: {expected}" in said.stderr
    groups = json.loads(run_cli("report", "runs/a", "--json").stdout)["campaigns"][0]["left_out"]
    assert groups == [
        {"reason": UNREAD, "tensors": 2, "names": ["spare", "places"]},
        {"reason": STRUCTURE, "tensors": 1, "names": ["k"]},
    ]
    assert json.loads(run_cli("run", "runs/a", "--json").stdout)["report"]["left_out"] == groups


def test_they_have_a_section_in_files(start, run_cli, tmp_path):
    start("--targets", "activation")
    assert run_cli("report", "runs/a", "-o", tmp_path / "page.md").exit_code == 0
    text = (tmp_path / "page.md").read_text()
    assert "## Left out" in text
    assert f"| {UNREAD} | 1 | places |" in text


@pytest.mark.parametrize(
    "chosen", [("weight", "--include", "w"), ("activation", "--op-type", "MatMul"), ("input",)]
)
def test_only_what_is_chosen_counts(start, chosen):
    said = start("--targets", *chosen)
    assert said.exit_code == 0, said.stderr
    assert "left out" not in said.stderr + said.stdout
