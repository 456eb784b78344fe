"""Interruptions of a real process: what is stored stays, the exit code tells, running resumes."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import sqlite3
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from click.testing import Result

from onnxfi.cli import ExitCode

Run = Callable[..., Result]
Start = Callable[..., subprocess.Popen[str]]

pytestmark = pytest.mark.skipif(os.name != "posix", reason="signals are those of POSIX")

PATIENCE_S = 60.0


@pytest.fixture
def endless(model: Path, samples: Path) -> tuple[object, ...]:
    """The words of a campaign that no test waits for."""
    options = ("--faults-per-scenario", 2, "-n", 1_000_000)
    return ("run", "runs/a", "--model", model, "--inputs", samples, *options)


def _stored(folder: Path) -> int:
    path = folder / "results.sqlite"
    if not path.is_file():
        return 0
    with contextlib.closing(sqlite3.connect(path, timeout=30)) as connection:
        return int(connection.execute("SELECT count(*) FROM results").fetchone()[0])


def _wait_for_rows(process: subprocess.Popen[str], folder: Path) -> None:
    deadline = time.monotonic() + PATIENCE_S
    while _stored(folder) == 0:
        assert process.poll() is None, process.communicate()
        assert time.monotonic() < deadline
        time.sleep(0.05)


def _rows(run_cli: Run, folder: str) -> dict[int, tuple[object, ...]]:
    lines = run_cli("export", folder, "--format", "jsonl").stdout.splitlines()
    rows: dict[int, tuple[object, ...]] = {}
    for row in map(json.loads, lines):
        rows[row["scenario"]] = (row["masked"], row["tolerable"], row["critical"], row["correct"])
    return rows


@pytest.mark.parametrize(
    ("number", "code"),
    [(signal.SIGINT, ExitCode.INTERRUPTED), (signal.SIGTERM, ExitCode.TERMINATED)],
)
def test_a_signal_ends_a_run_in_order(
    start_cli: Start, endless: tuple[object, ...], tmp_path: Path, number: int, code: ExitCode
) -> None:
    process = start_cli(*endless)
    _wait_for_rows(process, tmp_path / "runs/a")
    process.send_signal(number)
    stdout, stderr = process.communicate(timeout=PATIENCE_S)
    assert process.returncode == code
    assert stdout == ""
    assert "`onnxfi run runs/a` goes on" in stderr.splitlines()[-1]
    assert "Traceback" not in stderr


def test_what_survives_a_kill_is_what_an_undisturbed_run_has(
    start_cli: Start, run_cli: Run, endless: tuple[object, ...], tmp_path: Path
) -> None:
    process = start_cli(*endless)
    _wait_for_rows(process, tmp_path / "runs/a")
    process.kill()
    process.communicate(timeout=PATIENCE_S)
    before = _rows(run_cli, "runs/a")
    assert before
    more = run_cli("run", "runs/a", "--max-injections", 40)
    assert more.exit_code == ExitCode.STOPPED, more.stderr
    disturbed = _rows(run_cli, "runs/a")
    assert before.items() <= disturbed.items()
    assert len(disturbed) == len(before) + 40
    quiet = run_cli("run", "runs/b", *endless[2:], "--max-injections", 100)
    assert quiet.exit_code == ExitCode.STOPPED
    undisturbed = _rows(run_cli, "runs/b")
    common = disturbed.keys() & undisturbed.keys()
    assert common
    assert all(disturbed[k] == undisturbed[k] for k in common)


def test_a_running_campaign_can_be_watched_but_not_run(
    start_cli: Start, run_cli: Run, endless: tuple[object, ...], tmp_path: Path
) -> None:
    process = start_cli(*endless)
    _wait_for_rows(process, tmp_path / "runs/a")
    refused = run_cli("run", "runs/a")
    watched = run_cli("status", "runs/a", "--json")
    process.kill()
    process.communicate(timeout=PATIENCE_S)
    assert refused.exit_code == ExitCode.ERROR
    assert "another process" in refused.stderr
    assert json.loads(watched.stdout)["scenarios"]["done"] > 0


@pytest.mark.parametrize(
    ("number", "code"),
    [(signal.SIGINT, ExitCode.INTERRUPTED), (signal.SIGTERM, ExitCode.TERMINATED)],
)
def test_other_commands_leave_no_half_written_file(
    start_cli: Start, model: Path, tmp_path: Path, number: int, code: ExitCode
) -> None:
    process = start_cli("sample", model, "--ber", 0.5, "-n", 1_000_000, "-o", "faults.jsonl")
    deadline = time.monotonic() + PATIENCE_S
    while not any(path.stat().st_size for path in tmp_path.iterdir()):
        assert time.monotonic() < deadline
        time.sleep(0.05)
    process.send_signal(number)
    _, stderr = process.communicate(timeout=PATIENCE_S)
    assert process.returncode == code
    assert stderr in ("interrupted\n", "terminated\n")
    assert list(tmp_path.iterdir()) == []


def test_a_terminal_gets_a_bar_and_a_pipe_gets_plain_data(
    endless: tuple[object, ...], tmp_path: Path
) -> None:
    import pty

    ours, theirs = pty.openpty()
    words = [sys.executable, "-c", "from onnxfi.cli import main; main()"]
    words += [*map(str, endless[:-1]), "60", "--workers", "1"]
    environment = {k: v for k, v in os.environ.items() if k not in ("NO_COLOR", "TERM")}
    with subprocess.Popen(
        words,
        cwd=tmp_path,
        env={**environment, "TERM": "xterm"},
        stdout=subprocess.PIPE,
        stderr=theirs,
    ) as process:
        os.close(theirs)
        shown = b""
        with contextlib.suppress(OSError):  # Linux reports the closed terminal as an error
            while part := os.read(ours, 65536):
                shown += part
        os.close(ours)
        assert process.stdout is not None
        data = process.stdout.read()
    assert process.returncode == 0, shown
    assert b"60/60" in shown
    assert b"\x1b[" in shown
    assert b"\x1b" not in data
    assert "60 of 60 injections" in data.decode()
