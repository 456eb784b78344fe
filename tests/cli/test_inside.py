"""Seeing inside from the command line: monitors."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Callable
from pathlib import Path

import pytest
from click.testing import Result

Run = Callable[..., Result]


@pytest.fixture
def new(model: Path, samples: Path) -> tuple[object, ...]:
    """The words of a new campaign: 20 flips of exponent bits in stored tensors."""
    return ("run", "runs/a", "--model", model, "--inputs", samples, "-n", 20, "--bits", "exponent")


def test_monitors_from_the_first_line_to_the_export(run_cli: Run, new: tuple[object, ...]) -> None:
    result = run_cli(*new, "--monitor", "*", "--json")
    assert result.exit_code == 0, result.stderr
    rows = json.loads(result.stdout)["report"]["monitors"]
    names = [row["value"] for row in rows]
    assert len(names) >= 2
    assert all(row["injections"] == 20 for row in rows)
    assert any(row["changed"] for row in rows)
    assert rows[-1]["golden"]["elements"] > 0
    assert "Monitored values" in run_cli("report", "runs/a").stdout
    text = run_cli("export", "runs/a").stdout
    for row in csv.DictReader(io.StringIO(text)):
        assert sorted(json.loads(row["metrics"])["monitors"]) == sorted(names)
    again = run_cli(*new, "--monitor", "*")
    assert "nothing to do" in again.stderr
    other = run_cli(*new, "--monitor", names[0])
    assert other.exit_code == 1
    assert "monitors" in other.stderr


def test_a_monitor_that_names_nothing(run_cli: Run, new: tuple[object, ...]) -> None:
    result = run_cli(*new, "--monitor", "no_such_value")
    assert result.exit_code == 1
    assert "no computed value matches the monitor 'no_such_value'" in result.stderr
    assert not Path("runs/a").exists()
