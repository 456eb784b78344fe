"""Which graph scenarios ran in: told with -v, shown by status and report, kept in JSON."""

from __future__ import annotations

import json
import logging
from collections.abc import Callable
from pathlib import Path

import pytest
from click.testing import Result

from onnxfi.cli import ExitCode
from onnxfi.errors import RewriteError

Run = Callable[..., Result]
SHARED = "the graph that all scenarios of the kind share"


@pytest.fixture
def words(model: Path, samples: Path) -> tuple[object, ...]:
    """The words of a campaign in ``runs/g`` that engine cut carries out."""
    options = ("--model", model, "--inputs", samples, "-n", 6, "--engine", "cut")
    return ("run", "runs/g", *options)


def test_graphs_are_told_and_shown(run_cli: Run, words: tuple[object, ...]) -> None:
    done = run_cli(*words, "-v")
    assert done.exit_code == 0, done.stderr
    assert f"graph executable: {SHARED}" in done.stderr
    assert "graphs" in done.stdout
    status = run_cli("status", "runs/g")
    assert SHARED in status.stdout
    report = json.loads(run_cli("report", "runs/g", "--json").stdout)
    kept = json.loads(run_cli("status", "runs/g", "--json").stdout)["graphs"]
    assert report["campaigns"][0]["graphs"] == kept
    assert sum(each["scenarios"] for each in kept) == 6
    for each in kept:
        assert each["sites"] <= each["scenarios"]
        assert each["differing"] == 0 < each["compared"]


def test_the_package_is_quiet_unless_asked(run_cli: Run, words: tuple[object, ...]) -> None:
    done = run_cli(*words)
    assert "graph executable" not in done.stderr
    handlers = logging.getLogger("onnxfi").handlers
    assert handlers
    assert all(isinstance(handler, logging.NullHandler) for handler in handlers)


def test_a_rewrite_that_fails_is_an_error(
    run_cli: Run, words: tuple[object, ...], monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(*_: object, **__: object) -> None:
        raise RewriteError("node 'x' is missing")

    monkeypatch.setattr("onnxfi.engine.cut._candidates.open_executable", broken)
    done = run_cli(*words)
    assert done.exit_code == ExitCode.ERROR
    assert "the executable graph for faults in" in done.stderr
    assert "node 'x' is missing" in done.stderr
    assert "--engine bake" in done.stderr
