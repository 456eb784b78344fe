"""run, status, report and export: a campaign from its first line to its last row."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from click.testing import Result

from onnxfi.cli import ExitCode
from onnxfi.outcome import RECORD_COLUMNS

Run = Callable[..., Result]

N = 60


@pytest.fixture
def new(model: Path, samples: Path) -> tuple[object, ...]:
    """The words of a new campaign in ``runs/a``: 60 flips of exponent bits."""
    options = ("--model", model, "--inputs", samples, "-n", N, "--bits", "exponent")
    return ("run", "runs/a", *options)


def _rows(run_cli: Run, folder: str = "runs/a") -> list[dict[str, Any]]:
    result = run_cli("export", folder, "--format", "jsonl")
    assert result.exit_code == 0, result.stderr
    rows = [json.loads(line) for line in result.stdout.splitlines()]
    for row in rows:
        for key in ("run_s", "worker", "finished_at"):
            del row[key]
    return rows


def test_a_run_prints_rates_by_layer_and_bit(run_cli: Run, new: tuple[object, ...]) -> None:
    result = run_cli(*new)
    assert result.exit_code == 0, result.stderr
    for part in ("Rates", "By layer", "By bit", "failure", "hidden", "head", "60 of 60"):
        assert part in result.stdout
    assert "runs/a" in result.stderr
    assert "Traceback" not in result.stderr


def test_json_holds_the_whole_report(run_cli: Run, new: tuple[object, ...]) -> None:
    result = run_cli(*new, "--json")
    document = json.loads(result.stdout)
    assert document["schema"] == "onnxfi/run/1"
    assert (document["total"], document["done_now"], document["stopped"]) == (N, N, None)
    report = document["report"]
    rows = _rows(run_cli)
    assert report["outcomes"]["critical"] == sum(row["critical"] for row in rows)
    failing = [row for row in rows if (12 - row["correct"]) / 12 >= 0.05]
    assert report["rates"]["failure"]["value"] == len(failing) / N
    assert 0 < len(failing) < N


def test_quiet_runs_say_nothing_on_stderr(run_cli: Run, new: tuple[object, ...]) -> None:
    result = run_cli(*new, "-q")
    assert result.stderr == ""
    assert "By bit" in result.stdout


def test_running_again_does_nothing_and_says_so(run_cli: Run, new: tuple[object, ...]) -> None:
    first = run_cli(*new)
    for words in (new, ("run", "runs/a")):
        again = run_cli(*words)
        assert again.exit_code == 0
        assert again.stderr == "nothing to do: 60 of 60 injections are stored\n"
        assert again.stdout == first.stdout


def test_a_run_in_parts_has_the_rows_of_a_run_in_one(run_cli: Run, new: tuple[object, ...]) -> None:
    part = run_cli(*new, "--max-injections", 7)
    assert part.exit_code == ExitCode.STOPPED
    assert "`onnxfi run runs/a` goes on" in part.stderr
    status = json.loads(run_cli("status", "runs/a", "--json").stdout)
    assert status["scenarios"]["done"] == 7
    assert status["pending"] == N - 7
    assert status["time_left_s"] > 0
    assert run_cli("run", "runs/a", "--max-injections", 20).exit_code == ExitCode.STOPPED
    assert run_cli("run", "runs/a").exit_code == 0
    whole = run_cli("run", "runs/b", *new[2:])
    assert whole.exit_code == 0
    assert _rows(run_cli) == _rows(run_cli, "runs/b")


def test_the_memory_limit_changes_no_row(
    run_cli: Run, new: tuple[object, ...], tmp_path: Path
) -> None:
    assert run_cli(*new, "--memory-limit", "0MB", "--max-injections", 30).exit_code == 3
    (tmp_path / "c.toml").write_text('memory-limit = "1 GiB"\n')
    # Another limit is no other experiment.
    assert run_cli("run", "runs/a", "--config", "c.toml").exit_code == 0
    assert run_cli("run", "runs/b", *new[2:]).exit_code == 0
    assert _rows(run_cli) == _rows(run_cli, "runs/b")
    for bad in ("512", "1 gigabyte"):
        refused = run_cli("run", "runs/a", "--memory-limit", bad)
        assert refused.exit_code == ExitCode.USAGE
        assert f"'{bad}' is not a size in memory" in refused.stderr


def test_a_time_budget_stops_in_order(run_cli: Run, new: tuple[object, ...]) -> None:
    result = run_cli(*new, "--time-budget", "0.001s")
    assert result.exit_code == ExitCode.STOPPED
    assert "stopped by --time-budget" in result.stderr


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (["-n", 61], "n: 60 -> 61"),
        (["--seed", 1], "seed: 0 -> 1"),
        (["--bits", "mantissa"], "fault_models: flip:bits=exponent -> flip:bits=mantissa"),
        (["--drop", 0.5], "drop: 0.05 -> 0.5"),
        (["--targets", "weight,bias"], "targets: weight -> weight, bias"),
        (["--ber", 0.01], "kind: uniform -> ber"),
        (["--inputs", "random:4:0"], "-> random:4:0"),
    ],
)
def test_other_options_for_the_same_folder_are_refused(
    run_cli: Run, new: tuple[object, ...], options: list[object], said: str
) -> None:
    run_cli(*new, "--max-injections", 1)
    result = run_cli("run", "runs/a", *options)
    assert result.exit_code == ExitCode.ERROR
    assert "holds another experiment" in result.stderr
    assert said in result.stderr
    assert len(_rows(run_cli)) == 1


def test_equal_options_given_again_resume(run_cli: Run, new: tuple[object, ...]) -> None:
    run_cli(*new, "--max-injections", 1)
    result = run_cli(*new, "--seed", 0, "--drop", 0.05, "--targets", "weight", "--engine", "auto")
    assert result.exit_code == 0, result.stderr
    assert len(_rows(run_cli)) == N


def test_without_a_folder_equal_settings_share_one(
    run_cli: Run, new: tuple[object, ...], tmp_path: Path
) -> None:
    words = ("run", *new[2:], "--max-injections", 3)
    for _ in range(2):
        assert run_cli(*words).exit_code == ExitCode.STOPPED
    assert run_cli(*words, "--seed", 4).exit_code == ExitCode.STOPPED
    folders = sorted(tmp_path.joinpath("runs").iterdir())
    assert len(folders) == 2
    assert all(folder.name.startswith("tiny-") for folder in folders)
    assert sorted(len(_rows(run_cli, str(folder))) for folder in folders) == [3, 6]


def test_workers_do_not_change_rows(run_cli: Run, new: tuple[object, ...]) -> None:
    assert run_cli(*new, "--max-injections", 12).exit_code == ExitCode.STOPPED
    two = run_cli("run", "runs/b", *new[2:], "--max-injections", 12, "--workers", 2)
    assert two.exit_code == ExitCode.STOPPED, two.stderr
    assert _rows(run_cli) == _rows(run_cli, "runs/b")


def test_a_fault_list_is_run(
    run_cli: Run, new: tuple[object, ...], model: Path, samples: Path
) -> None:
    run_cli("sample", model, "-n", N, "--bits", "exponent", "-o", "faults.jsonl")
    words = ("run", "runs/b", "--model", model, "--inputs", samples, "--faults", "faults.jsonl")
    assert run_cli(*words).exit_code == 0
    assert run_cli(*new).exit_code == 0
    assert _rows(run_cli) == _rows(run_cli, "runs/b")
    assert "nothing to do" in run_cli("run", "runs/b", "--faults", "faults.jsonl").stderr
    assert run_cli(*words, "-n", 5).exit_code == ExitCode.USAGE


def test_bit_error_rates_run(run_cli: Run, new: tuple[object, ...]) -> None:
    options = ("--ber", 0.01, "-n", 5, "--targets", "weight,activation", "--ber-per-sample")
    result = run_cli("run", "runs/b", *new[2:6], *options)
    assert result.exit_code == 0, result.stderr
    assert "no rates by layer or bit" in result.stdout
    assert run_cli("run", "runs/b", *options).exit_code == 0


@pytest.mark.parametrize("missing", ["--model", "--inputs"])
def test_a_new_campaign_needs_model_and_inputs(
    run_cli: Run, model: Path, samples: Path, tmp_path: Path, missing: str
) -> None:
    given = {"--model": model, "--inputs": samples}
    del given[missing]
    result = run_cli("run", "runs/a", *(word for pair in given.items() for word in pair))
    assert result.exit_code == ExitCode.USAGE
    assert missing in result.stderr
    assert list(tmp_path.iterdir()) == []


def test_what_fails_leaves_nothing_behind(
    run_cli: Run, new: tuple[object, ...], tmp_path: Path
) -> None:
    result = run_cli(*new, "--criterion-output", "nothing")
    assert result.exit_code == ExitCode.ERROR
    assert result.stderr.splitlines()[-1].startswith("error: ")
    assert not list(tmp_path.rglob("*.json"))
    assert not tmp_path.joinpath("runs/a").exists()


@pytest.mark.parametrize("verb", ["run", "status", "report", "export"])
def test_a_folder_without_a_campaign_is_an_error(run_cli: Run, tmp_path: Path, verb: str) -> None:
    tmp_path.joinpath("empty").mkdir()
    for folder in ("empty", "missing"):
        result = run_cli(verb, folder)
        assert result.exit_code == ExitCode.ERROR
        assert "holds no campaign" in result.stderr
        assert result.stdout == ""


def test_status_tells_what_is_left(run_cli: Run, new: tuple[object, ...]) -> None:
    run_cli(*new, "--max-injections", 7)
    printed = run_cli("status", "runs/a").stdout
    assert "7 of 60 injections" in printed
    assert "with one worker" in printed
    assert "onnxfi run runs/a" in printed
    run_cli("run", "runs/a")
    plan = json.loads(Path("runs/a/campaign.json").read_text())["plan"]
    reason = plan["engine_reason"]
    assert f"{plan['engine']} on cpu" in printed
    for said in (printed, run_cli("report", "runs/a").stdout):
        assert reason in " ".join(said.split())
    document = json.loads(run_cli("status", "runs/a", "--json").stdout)
    assert document["schema"] == "onnxfi/status/1"
    assert (document["pending"], document["time_left_s"]) == (0, 0.0)
    assert document["engine"] == {"name": plan["engine"], "reason": reason}
    assert (document["provider"], document["optimization"]) == ("cpu", "all")
    assert document["rates"]["failure"]["n"] == N


def test_export_as_csv_is_the_same_table(
    run_cli: Run, new: tuple[object, ...], tmp_path: Path
) -> None:
    run_cli(*new)
    printed = run_cli("export", "runs/a").stdout
    rows = list(csv.DictReader(io.StringIO(printed)))
    assert tuple(rows[0]) == RECORD_COLUMNS
    for row, expected in zip(rows, _rows(run_cli), strict=True):
        assert int(row["critical"]) == expected["critical"]
        assert json.loads(row["metrics"]) == expected["metrics"]
    result = run_cli("export", "runs/a", "-o", "out.csv")
    assert result.stdout == ""
    assert (tmp_path / "out.csv").read_text() == printed
    assert run_cli("export", "runs/a", "-o", "out.csv").exit_code == ExitCode.ERROR
    by_suffix = run_cli("export", "runs/a", "-o", "out.jsonl")
    assert by_suffix.exit_code == 0
    lines = (tmp_path / "out.jsonl").read_text().splitlines()
    assert tuple(json.loads(lines[0])) == RECORD_COLUMNS


def test_reports_gate(run_cli: Run, new: tuple[object, ...]) -> None:
    run_cli(*new)
    rate = json.loads(run_cli("report", "runs/a", "--json").stdout)["campaigns"][0]["rates"][
        "failure"
    ]
    between = (rate["value"] + rate["high"]) / 2
    high = run_cli("report", "runs/a", "--fail-if", f"failure > {between}")
    assert high.exit_code == ExitCode.GATE
    assert "--fail-if is true for runs/a" in high.stderr
    assert "By layer" in high.stdout
    value = run_cli("report", "runs/a", "--fail-if", f"failure.value > {between}")
    assert value.exit_code == 0
    either = run_cli(
        "report", "runs/a", "--fail-if", "due_share.low > 0.9", "--fail-if", "accuracy.high < 100%",
        "--json",
    )  # fmt: skip
    assert either.exit_code == ExitCode.GATE
    assert json.loads(either.stdout)["failed_if"] == [
        {"folder": "runs/a", "condition": "accuracy.high < 100%"}
    ]
    assert run_cli("report", "runs/a", "--fail-if", "failure").exit_code == ExitCode.USAGE
    unknown = run_cli("report", "runs/a", "--fail-if", "margin > 0")
    assert unknown.exit_code == ExitCode.ERROR
    assert "there are: failure" in unknown.stderr


def test_a_gate_without_results_does_not_pass(run_cli: Run, new: tuple[object, ...]) -> None:
    run_cli(*new, "--max-injections", 1)
    result = run_cli("report", "runs/a", "--fail-if", "failure > 0.99")
    assert result.exit_code == ExitCode.ERROR


def test_reports_go_to_files_and_compare(
    run_cli: Run, new: tuple[object, ...], tmp_path: Path
) -> None:
    run_cli(*new)
    run_cli("run", "runs/b", *new[2:], "--seed", 5)
    for name in ("report.html", "report.md", "report.json"):
        result = run_cli("report", "runs/a", "-o", name)
        assert result.exit_code == 0, result.stderr
        assert result.stdout == ""
        assert "head.weight" in (tmp_path / name).read_text(encoding="utf-8")
    compared = run_cli("report", "runs/a", "runs/b")
    assert "2 campaigns" in compared.stdout
    assert run_cli("report", "runs/a", "-o", "report.pdf").exit_code == ExitCode.USAGE
    narrow = json.loads(run_cli("report", "runs/a", "--json", "--confidence", "0.5").stdout)
    assert narrow["campaigns"][0]["rates"]["failure"]["confidence"] == 0.5


def test_settings_come_from_a_file(
    run_cli: Run, model: Path, samples: Path, tmp_path: Path, new: tuple[object, ...]
) -> None:
    folder = tmp_path / "settings"
    folder.mkdir()
    for path in (model, samples):
        folder.joinpath(path.name).write_bytes(path.read_bytes())
    config = folder / "study.toml"
    config.write_text(
        'model = "tiny.onnx"\ninputs = "samples.npz"\ntargets = ["weight"]\n'
        'fault-model = "flip"\nbits = "exponent"\nn = 9\nmax_injections = 60\n'
    )
    result = run_cli("run", "runs/b", "--config", config, "-n", N)  # the command line goes first
    assert result.exit_code == 0, result.stderr
    run_cli(*new)
    assert _rows(run_cli) == _rows(run_cli, "runs/b")


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("modle = 'x'", "did you mean 'model'?"),
        ("model = {a = 1}", "must not be a table"),
        ("model = ", "Invalid value"),
        ("n = 'many'", "'many' is not a valid integer"),
        ("targets = ['wieght']", "did you mean 'weight'?"),
    ],
)
def test_wrong_settings_files_are_wrong_usage(
    run_cli: Run, tmp_path: Path, text: str, said: str
) -> None:
    (tmp_path / "bad.toml").write_text(text)
    result = run_cli("run", "runs/a", "--config", "bad.toml")
    assert result.exit_code == ExitCode.USAGE
    assert said in result.stderr


@pytest.mark.parametrize(
    "option", [("--targets", "bias"), ("--fault-model", "stuck0"), ("--bits", 3), ("-n", 4)]
)
def test_a_list_decides_what_is_faulted(
    run_cli: Run, model: Path, samples: Path, option: tuple[object, ...]
) -> None:
    assert run_cli("sample", model, "-n", 3, "-o", "faults.jsonl").exit_code == 0
    words = ("run", "runs/b", "--model", model, "--inputs", samples, "--faults", "faults.jsonl")
    refused = run_cli(*words, *option)
    assert refused.exit_code == ExitCode.USAGE
    assert f"{option[0]} does not go with --faults" in refused.stderr
    assert run_cli(*words).exit_code == 0
    assert run_cli("run", "runs/b", *option).exit_code != 0


def test_the_lift_engine_from_end_to_end(run_cli: Run, new: tuple[object, ...]) -> None:
    result = run_cli(*new, "--engine", "lift", "--workers", 2)
    assert result.exit_code == 0, result.stderr
    status = json.loads(run_cli("status", "runs/a", "--json").stdout)
    assert status["scenarios"]["done"] == N
    plan = json.loads(Path("runs/a/campaign.json").read_text(encoding="utf-8"))["plan"]
    assert (plan["engine"], plan["engine_reason"]) == ("lift", "as asked for")
    assert run_cli("run", "runs/b", *new[2:], "--engine", "bake").exit_code == 0
    decided = [
        [(row["critical"], row["due_nonfinite"], row["correct"]) for row in _rows(run_cli, folder)]
        for folder in ("runs/a", "runs/b")
    ]
    assert decided[0] == decided[1]


def test_lift_refuses_computed_tensors(run_cli: Run, new: tuple[object, ...]) -> None:
    result = run_cli(*new, "--engine", "lift", "--targets", "activation")
    assert result.exit_code == ExitCode.ERROR
    assert "engine lift can't run this campaign: site 'product': it is computed" in result.stderr
    assert "Traceback" not in result.stderr


def test_a_run_ends_content_when_enough_is_known(run_cli, model, samples):
    words = ("run", "c", "--model", model, "--inputs", samples, "--sampler", "exhaustive")
    found = run_cli(*words, "--find", 3)
    assert found.exit_code == 0
    assert "as many failing scenarios are found" in found.stderr
    narrow = run_cli("run", "c", "--margin", "0.1", "--json")
    assert narrow.exit_code == 0
    told = json.loads(narrow.stdout)
    assert told["stopped"] == "margin"
    rate = told["report"]["rates"]["failure"]
    assert (rate["high"] - rate["low"]) / 2 <= 0.1
    both = run_cli("run", "c", "--margin", "0.1", "--find", 3)
    assert both.exit_code == 1
    assert "choose one" in both.stderr
