"""`tools/same_answer.py`: it runs, resumes, and would see every rule broken."""

from __future__ import annotations

import json
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from agreement import company
from agreement.answers import Answer, margin
from agreement.draw import CASES, scenarios
from agreement.records import Exceptional, Line, Pair, Tally, compared, counted
from agreement.rules import is_tie, verdicts
from agreement.tables import markdown

from onnxfi.engine import ENGINES

ROOT = Path(__file__).resolve().parents[2]
CASES_OF_LENET = sum(case.models in "lenet5_mnist_int8_qdq" for case in CASES)


def _tool(*arguments):
    return subprocess.run(
        [sys.executable, "tools/same_answer.py", *arguments],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )


@pytest.mark.heavy
def test_it_compares_stores_and_resumes(tmp_path):
    output = tmp_path / "same.json"
    command = ("--scenarios", "1", "--images", "4", "--only", "lenet5_mnist_int8_qdq")
    done = _tool(*command, "-o", str(output))
    assert done.returncode == 0, done.stderr
    document = json.loads(output.read_text(encoding="utf-8"))
    assert document["format"] == "onnxfi-same-answer/1"
    assert len(document["lines"]) == CASES_OF_LENET * 2
    assert all(rule["holds"] for rule in document["rules"] if rule["samples"])
    for line in document["lines"]:
        assert set(line["engines"]) | set(line["left_out"]) == set(ENGINES.names())
        for tally in line["engines"].values():
            assert sum(tally["outcomes"].values()) == 4
    document["lines"].pop()
    output.write_text(json.dumps(document), encoding="utf-8")
    again = _tool(*command, "-o", str(output))
    assert again.stderr.count("s\n") == 1  # the line that is missing, and no other
    assert again.stdout == done.stdout
    other = _tool(*command, "-o", str(output), "--seed", "12")
    assert other.stderr.count("s\n") == CASES_OF_LENET * 2


def _pair(engines, **found):
    return Pair(engines=engines, samples=20_000, **found)


def _line(level, pair, tally=None):
    return Line(
        model="m.onnx",
        case="weight",
        level=level,
        scenarios=1,
        engines={name: tally or Tally(outcomes={"masked": 20_000}) for name in pair.engines},
        pairs=(pair,),
        left_out={},
    )


_TURNED = Exceptional(
    scenario=3, sample=7, outcomes=("critical", "tolerable"), margin=1e-6, scale=10.0
)


def _broken(*lines):
    return [each.rule for each in verdicts(lines) if each.samples and not each.holds]


def test_engines_of_one_graph_must_agree_in_everything():
    assert not _broken(_line("all", _pair(("lift", "cut"))))
    assert _broken(_line("all", _pair(("lift", "cut"), moved=1)))
    assert not _broken(_line("all", _pair(("bake", "cut"), moved=1)))


def test_bake_must_agree_in_everything_without_optimisation():
    assert not _broken(_line("disabled", _pair(("bake", "cut"))))
    assert _broken(_line("disabled", _pair(("bake", "cut"), moved=1)))


def test_ties_may_turn_at_the_default_level_but_seldom():
    two = _pair(("bake", "ports"), moved=2, exceptions=(_TURNED,) * 2)
    assert not _broken(_line("all", two))
    three = replace(two, exceptions=(_TURNED,) * 3)
    assert _broken(_line("all", three))
    text = markdown([_line("all", two)])
    assert "| m.onnx | weight | 3 | 7 | bake, ports | critical, tolerable | 1e-06 | 10 |" in text


@pytest.mark.parametrize(
    ("changes", "tie"),
    [
        ({}, True),
        ({"margin": 1.0}, False),
        ({"outcomes": ("due", "tolerable")}, False),
        ({"margin": None}, False),
    ],
)
def test_what_is_no_tie_breaks_the_rule(changes, tie):
    found = replace(_TURNED, **changes)
    assert is_tie(found) == tie
    line = _line("all", _pair(("bake", "cut"), moved=1, exceptions=(found,)))
    assert bool(_broken(line)) != tie


def test_a_masked_sample_has_its_golden_bits_and_blocks_change_nothing():
    pair = _pair(("bake", "cut"))
    whole = Tally(outcomes={"masked": 1}, contradictions=0, block=0)
    assert not _broken(_line("all", pair, whole))
    assert _broken(_line("all", pair, replace(whole, contradictions=1)))
    assert _broken(_line("all", pair, replace(whole, block=1)))


def _answer(codes, unchanged, faulty):
    golden = np.array([[1.0, 2.0], [3.0, 1.0]], np.float32)
    return Answer(
        codes=np.array(codes, np.int8),
        unchanged=np.array(unchanged),
        golden=golden,
        faulty=np.array(faulty, np.float32),
    )


def test_outcomes_are_counted_and_differences_named():
    same = _answer([0, 1], [True, False], [[1.0, 2.0], [3.0, 1.5]])
    turned = _answer([1, 2], [True, False], [[1.0, 2.0], [1.25, 1.5]])
    tally = counted(Tally(), turned)
    assert tally.outcomes == {"tolerable": 1, "critical": 1}
    assert tally.contradictions == 1  # the first sample has its golden bits, and is tolerable
    pair = compared(Pair(engines=("bake", "cut")), 5, (same, turned))
    assert (pair.samples, pair.moved, pair.bits) == (2, 2, 1)
    (found,) = pair.exceptions
    assert (found.scenario, found.sample, found.outcomes) == (5, 1, ("tolerable", "critical"))
    assert found.margin == 0.25
    assert found.scale == 3.0


def test_scores_that_are_no_numbers_have_no_margin():
    same = _answer([0, 0], [True, True], [[1.0, 2.0], [3.0, 1.0]])
    lost = _answer([0, 3], [True, False], [[1.0, 2.0], [np.nan, 1.0]])
    (found,) = compared(Pair(engines=("bake", "cut")), 0, (same, lost)).exceptions
    assert found.outcomes == ("masked", "due")
    assert found.margin is None
    assert margin(np.array([3.0, 5.0, 4.5])) == 0.5


def test_many_flips_are_in_one_scenario():
    from agreement.setting import MODELS, context_of

    sites = context_of(MODELS / "lenet5_mnist_fp32.onnx", "weight", "all", 2).sites
    drawn = scenarios(sites, CASES[2], 3, seed=1)
    assert [scenario.number for scenario in drawn] == [0, 1, 2]
    assert [sum(map(len, scenario.groups)) for scenario in drawn] == [100] * 3
    assert drawn[0] != drawn[1]
    assert drawn == scenarios(sites, CASES[2], 3, seed=1)


@pytest.mark.heavy
def test_rows_in_company_are_compared():
    done = _tool("--company", "6", "--images", "4", "--only", "lenet5_mnist_packed")
    assert done.returncode == 0, done.stderr
    assert "| lenet5_mnist_packed.onnx | cut | 6 | none |" in done.stdout
    assert "0 of 12 rows differ" in done.stdout


def test_rows_that_depend_on_company_would_be_seen(monkeypatch):
    """An engine whose rows follow the number of sites of its campaign."""

    def rows(_engine, context, wanted):
        return [(each.number, len(context.sites) > 1) for each in wanted]

    monkeypatch.setattr(company, "_rows", rows)
    path = ROOT / "models" / "lenet5_mnist_fp32.onnx"
    found = company.compare_company(path, 6, 2, 11)
    assert {each.engine for each in found} == set(company.ENGINES)
    for each in found:
        assert each.rows == 6
        assert not each.differing, "all of them are given the same sites"

    def alone(_engine, _context, wanted):
        return [(each.number, len(wanted)) for each in wanted]

    monkeypatch.setattr(company, "_rows", alone)
    (ports, _) = company.compare_company(path, 6, 2, 11)
    assert len(ports.differing) == 12
