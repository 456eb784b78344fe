"""Every float that onnxruntime computes: a site, or named with its reason."""

from __future__ import annotations

import pytest
from every_value import coverage, main
from onnx import parser, save

TEXT = """
<ir_version: 10, opset_import: ["" : 17, "com.microsoft" : 1]>
agraph (float[N, 4] x) => (float[N, 4] y)
<float[4, 4] w = {1, 2, 3, 4, 5, 6, 7, 8, 9, 1, 2, 3, 4, 5, 6, 7}, float[4] b = {1, 2, 3, 4},
 float spare = {1}>
{
    h = MatMul(x, w)
    g = com.microsoft.BiasGelu(h, b)
    k = MatMul(g, w)
    l = com.microsoft.QuickGelu(k)
    c = Neg(b)
    y = Add(l, c)
}
"""


@pytest.fixture
def path(tmp_path):
    where = tmp_path / "m.onnx"
    save(parser.parse_model(TEXT), where)
    return where


@pytest.mark.parametrize("inputs", [None, "random:3:0"])
def test_floats_are_counted_by_what_became_of_them(path, inputs):
    found = coverage(path, inputs)
    assert (found.floats, found.sites, found.missing) == (9, 7, ())
    assert sorted(found.reasons.values()) == [1, 1]
    assert {reason.split(",")[0] for reason in found.reasons} == {
        "not read by any operator",
        "computed from stored tensors and shapes only",
    }


def test_the_table_says_so(path, monkeypatch, capsys):
    monkeypatch.setattr("sys.argv", ["every_value.py", str(path)])
    assert main() == 0
    assert f"| {path} | 9 | 7 | 2 | 0 | " in capsys.readouterr().out
