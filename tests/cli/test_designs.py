"""Scenarios that are not equally likely: strata, pilots, scores, searches, and their reports."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from click.testing import Result

Run = Callable[..., Result]


def _lines(text: str) -> list[dict[str, Any]]:
    return [json.loads(line) for line in text.splitlines()]


def _scores(path: Path, sizes: dict[str, int], bit: int = 30) -> Path:
    arrays = {}
    for name, elements in sizes.items():
        arrays[name] = np.full((elements, 32), 0.001)
        arrays[name][:, bit] = 1.0
    np.savez(path, **arrays)
    return path


def _told(run_cli: Run, folder: str) -> dict[str, Any]:
    result = run_cli("report", folder, "--json")
    assert result.exit_code == 0, result.stderr
    document: dict[str, Any] = json.loads(result.stdout)
    return document["campaigns"][0]


def _sizes(run_cli: Run, model: Path) -> dict[str, int]:
    listed = _lines(run_cli("sites", model, "--targets", "weight", "--json").stdout)
    return {site["site"]: int(site["elements"]) for site in listed[1:]}


def test_an_importance_sample_is_written_with_weights_and_keys(
    run_cli: Run, model: Path, samples: Path, tmp_path: Path
) -> None:
    scores = _scores(tmp_path / "scores.npz", _sizes(run_cli, model))
    words = ("sample", model, "--scores", scores, "-n", 60, "--uniform-share", "0.2", "-o")
    header, *lines = _lines(run_cli(*words, "-").stdout)
    assert header["design"] == "priority"
    assert header["sampler"]["uniform_share"] == 0.2
    keys = [line["key"] for line in lines]
    assert keys == sorted(keys, reverse=True)
    assert keys[-1] > header["next_key"] > 0
    top = [line["faults"][0]["xor"] == ["40000000"] for line in lines]
    assert sum(top) >= 30
    assert run_cli(*words, "list.jsonl").exit_code == 0
    ran = run_cli("run", "c", "--model", model, "--inputs", samples, "--faults", "list.jsonl")
    assert ran.exit_code == 0
    told = _told(run_cli, "c")
    assert {"failure", "failure_bound", "failure_difference"} <= told["rates"].keys()
    assert told["efficiency"]["effective_size"] < 60
    # The same scenarios by drawing: the same experiment but for how the list was come by.
    drawn = ("run", "d", "--model", model, "--inputs", samples, "--scores", scores, "-n", 60)
    assert run_cli(*drawn, "--uniform-share", "0.2").exit_code == 0
    again = _told(run_cli, "d")
    assert again["rates"] == told["rates"]
    resumed = run_cli("run", "d", "--scores", scores)
    assert resumed.exit_code == 0
    assert "nothing to do" in resumed.stderr


def test_a_search_by_scores_is_run_resumed_and_never_taken_for_an_estimate(
    run_cli: Run, model: Path, samples: Path, tmp_path: Path
) -> None:
    scores = _scores(tmp_path / "scores.npz", _sizes(run_cli, model))
    words = ("run", "t", "--model", model, "--inputs", samples, "--sampler", "top", "-n", 30)
    words = (*words, "--scores", scores)
    for option in ("--margin", "--relative-margin"):
        refused = run_cli(*words, option, "0.1")
        assert refused.exit_code == 2
        assert "no rate can be had from --sampler top" in refused.stderr
    assert not (tmp_path / "t").exists()
    found = run_cli(*words, "--find", 2)
    assert found.exit_code == 0, found.stderr
    assert "as many failing scenarios are found" in found.stderr
    refused = run_cli("run", "t", "--margin", "0.1")
    assert refused.exit_code == 1
    assert "no rate can be had from sampler top" in refused.stderr
    resumed = run_cli("run", "t", "--scores", scores)
    assert resumed.exit_code == 0, resumed.stderr
    assert "Failures found" in resumed.stdout
    assert "no rate of the fault space can be had" in " ".join(resumed.stdout.split())
    told = _told(run_cli, "t")
    assert told["search"]
    assert list(told["rates"]) == ["precision"]
    gate = run_cli("report", "t", "--fail-if", "failure.high > 0.5")
    assert gate.exit_code == 1
    assert "use sampler importance" in gate.stderr
    listed = [
        line["faults"][0]["xor"][0]
        for line in _lines((tmp_path / "t/faults.jsonl").read_text())[1:]
    ]
    assert set(listed) == {"40000000"}
    compared = run_cli("report", "t", "t")
    assert "precision" in compared.stdout
    # The list alone knows, too.
    other = run_cli("run", "u", "--model", model, "--inputs", samples, "--faults", "t/faults.jsonl")
    assert other.exit_code == 0, other.stderr
    assert list(_told(run_cli, "u")["rates"]) == ["precision"]


def test_a_stratified_sample_is_a_recipe_and_a_report_by_strata(
    run_cli: Run, model: Path, samples: Path
) -> None:
    words = ("--model", model, "--inputs", samples, "--strata", "site,bit", "-n", 100)
    assert run_cli("run", "c", *words).exit_code == 0
    told = _told(run_cli, "c")
    assert told["rates"]["failure"]["method"] == "stratified, MOVER"
    assert "by site and bit" in told["sampler"]
    assert run_cli("run", "c", "--strata", "site").exit_code == 1


def test_a_pilot_allots_the_scenarios_of_a_campaign_of_the_same_faults(
    run_cli: Run, model: Path, samples: Path, tmp_path: Path
) -> None:
    space = ("--model", model, "--inputs", samples)
    assert run_cli("run", "p", *space, "-n", 200).exit_code == 0
    words = ("run", "c", *space, "--strata", "field", "--pilot", "p", "-n", 90)
    assert run_cli(*words).exit_code == 0
    told = _told(run_cli, "c")
    assert "pilot" in told["sampler"]
    by_field = {row["key"]: row["n"] for row in told["tables"]["field"]["rows"]}
    assert by_field["exponent"] > by_field["mantissa"]
    # It holds the rates: the pilot may go on, or be gone.
    header = _lines((tmp_path / "c/faults.jsonl").read_text())[0]
    assert set(header["sampler"]["rates"]) == {"sign", "exponent", "mantissa"}
    assert "nothing to do" in run_cli(*words).stderr
    (tmp_path / "p").rename(tmp_path / "gone")
    assert "nothing to do" in run_cli("run", "c").stderr
    assert run_cli("report", "c").exit_code == 0
    (tmp_path / "gone").rename(tmp_path / "p")
    drawn = run_cli("sample", model, "--strata", "field", "--pilot", "p", "-n", 90, "-o", "-")
    assert _lines(drawn.stdout)[0]["sampler"] == header["sampler"]
    other = run_cli("run", "c", "--pilot", "p", "-n", 80)
    assert other.exit_code == 1
    assert "n: 90 -> 80" in other.stderr
    again = run_cli("run", "d", *space, "--strata", "bit", "--pilot", "c", "-n", 90)
    assert again.exit_code == 1
    assert "choose another seed" in again.stderr
    assert run_cli("run", "d", *space, "--pilot", "c", "-n", 90, "--seed", 1).exit_code == 0
    for more, message in (
        (("--targets", "bias,weight", "--strata", "field"), "is of other faults"),
        (("--targets", "bias,weight"), "none for 'hidden.bias'; a pilot must have the same model"),
        (("--sampler", "uniform"), "--pilot does not go with --sampler uniform"),
    ):
        refused = run_cli("run", "e", *space, "--pilot", "p", "-n", 50, *more)
        assert refused.exit_code in (1, 2)
        assert message in refused.stderr
        assert not (tmp_path / "e").exists()


def test_a_stratified_list_knows_how_it_was_drawn(
    run_cli: Run, model: Path, samples: Path, tmp_path: Path
) -> None:
    space = ("--model", model, "--inputs", samples)
    assert run_cli("run", "p", *space, "-n", 200).exit_code == 0
    words = ("--strata", "field", "--pilot", "p", "-n", 90)
    assert run_cli("run", "c", *space, *words).exit_code == 0
    assert run_cli("sample", model, *words, "-o", "written.jsonl").exit_code == 0
    assert run_cli("run", "d", *space, "--faults", "written.jsonl").exit_code == 0
    told, listed = _told(run_cli, "c"), _told(run_cli, "d")
    assert told["rates"] == listed["rates"]
    assert listed["rates"]["failure"]["method"] == "stratified, MOVER"
    lines = (tmp_path / "written.jsonl").read_text().splitlines()
    (tmp_path / "cut.jsonl").write_text("\n".join(lines[:51]) + "\n")
    assert run_cli("run", "e", *space, "--faults", "cut.jsonl").exit_code == 1
    refused = run_cli("report", "e")
    assert refused.exit_code == 1
    assert "don't make its 50 scenarios" in refused.stderr


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--sampler", "importance"], "needs --scores"),
        (["--sampler", "top"], "needs --scores"),
        (["--sampler", "top", "--plan-margin", "0.1"], "--plan-margin does not go with"),
        (["--strata", "colour", "-n", "60"], "'colour'"),
        (["--strata", "site", "--power", "2"], "--power does not go with --sampler stratified"),
        (["--strata", "bit", "-n", "3"], "raise n, lower least, or make fewer strata"),
    ],
)
def test_samples_that_can_not_be_drawn(
    run_cli: Run, model: Path, options: list[str], message: str
) -> None:
    result = run_cli("sample", model, *options, "-o", "-")
    assert result.exit_code in (1, 2)
    assert message in result.stderr
    assert "Traceback" not in result.stderr


def test_scores_that_do_not_fit(run_cli: Run, model: Path, tmp_path: Path) -> None:
    sizes = _sizes(run_cli, model)
    first, *others = sizes
    cases = {
        "have no array for site": {name: sizes[name] for name in others},
        "have 160 numbers": sizes | {first: 5},
    }
    for message, chosen in cases.items():
        scores = _scores(tmp_path / "scores.npz", chosen)
        result = run_cli("sample", model, "--scores", scores, "-n", 9, "-o", "-")
        assert result.exit_code == 1
        assert message in result.stderr
    (tmp_path / "text.npz").write_text("no scores")
    result = run_cli("sample", model, "--scores", tmp_path / "text.npz", "-n", 9, "-o", "-")
    assert result.exit_code == 1
    assert "can't be read as .npz" in result.stderr


def test_a_report_by_channel(run_cli: Run, model: Path, samples: Path) -> None:
    words = ("run", "c", "--model", model, "--inputs", samples, "-n", 50, "--quiet")
    assert run_cli(*words, "--targets", "weight,activation").exit_code == 0
    assert "By output channel" not in run_cli("report", "c").stdout
    told = run_cli("report", "c", "--by", "channel")
    assert "By output channel" in told.stdout
    table = json.loads(run_cli("report", "c", "--by", "channel", "--json").stdout)
    rows = table["campaigns"][0]["tables"]["channel"]["rows"]
    assert sum(row["n"] for row in rows) == 50
    assert all(row["key"].rpartition(":")[2].isdigit() for row in rows)


def test_a_fit_rate_is_of_single_flips(run_cli: Run, model: Path, samples: Path) -> None:
    words = ("run", "c", "--model", model, "--inputs", samples, "-n", 50, "--quiet")
    assert run_cli(*words).exit_code == 0
    result = run_cli("report", "c", "--fit-per-mbit", "1000", "--json")
    told = json.loads(result.stdout)["campaigns"][0]
    assert told["fit"]["bits"] == 1344
    expected = told["rates"]["failure"]["high"] * 1.344
    assert told["fit"]["high"] == pytest.approx(expected)
    assert run_cli("run", "d", *words[2:], "--fault-model", "stuck0").exit_code == 0
    refused = run_cli("report", "d", "--fit-per-mbit", "1000")
    assert refused.exit_code == 1
    assert "one flipped bit each" in refused.stderr
