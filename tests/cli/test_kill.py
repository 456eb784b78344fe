"""``kill -9`` at random moments: no row is lost, repeated, changed or made up."""

from __future__ import annotations

import contextlib
import itertools
import json
import os
import random
import signal
import sqlite3
import subprocess
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from click.testing import Result

Run = Callable[..., Result]
Start = Callable[..., "subprocess.Popen[str]"]
Words = Callable[[int], tuple[object, ...]]

MODELS = Path(__file__).resolve().parents[2] / "models"
PATIENCE_S = 60.0

pytestmark = pytest.mark.skipif(
    not Path(f"/proc/self/task/{os.getpid()}/children").exists(),
    reason="finds workers through /proc",
)


@pytest.fixture
def words(tmp_path: Path) -> Words:
    """A campaign of some scenarios on LeNet-5 and forty images, but for its folder.

    Each scenario costs a session of its own, which makes the campaign last, however fast the other
    engines are.
    """
    path = tmp_path / "forty.npz"
    with np.load(MODELS / "mnist_test1000.npz") as data:
        np.savez(path, image=data["image"][:40], labels=data["labels"][:40])
    model = MODELS / "lenet5_mnist_fp32.onnx"
    options = ("--targets", "weight,bias", "--engine", "bake", "--seed", 5, "--workers", 2, "-q")
    return lambda scenarios: ("--model", model, "--inputs", path, "-n", scenarios, *options)


def _count(folder: Path, table: str = "results") -> int:
    path = folder / "results.sqlite"
    if not path.is_file():
        return 0
    with contextlib.closing(sqlite3.connect(path, timeout=30)) as connection:
        return int(connection.execute(f"SELECT count(*) FROM {table}").fetchone()[0])


def _workers(process: subprocess.Popen[str]) -> list[int]:
    """Children that are spawned Python processes, not the tracker of their resources."""
    found = []
    for children in Path(f"/proc/{process.pid}/task").glob("*/children"):
        with contextlib.suppress(OSError):
            found += [int(number) for number in children.read_text().split()]
    return [number for number in found if b"spawn_main" in _command(number)]


def _command(number: int) -> bytes:
    try:
        return Path(f"/proc/{number}/cmdline").read_bytes()
    except OSError:
        return b""


def _wait_for_rows(process: subprocess.Popen[str], folder: Path, more: int) -> None:
    """Wait until so many more rows are stored.

    There must be one between two kills of a worker. Else they could hit a scenario twice that is
    alone in its process, and such a scenario has itself to blame: ``due_crash``.
    """
    goal, deadline = _count(folder) + more, time.monotonic() + PATIENCE_S
    while _count(folder) < goal:
        assert process.poll() is None, process.communicate()
        assert time.monotonic() < deadline
        time.sleep(0.01)


def _kill_a_worker(process: subprocess.Popen[str], chance: random.Random) -> None:
    while not (workers := _workers(process)):  # between two pools
        assert process.poll() is None, process.communicate()
        time.sleep(0.01)
    with contextlib.suppress(ProcessLookupError):  # has ended by itself meanwhile
        os.kill(chance.choice(workers), signal.SIGKILL)


def _rows(run_cli: Run, folder: str) -> list[dict[str, Any]]:
    result = run_cli("export", folder, "--format", "jsonl")
    assert result.exit_code == 0, result.stderr
    rows = [json.loads(line) for line in result.stdout.splitlines()]
    return [
        {name: row[name] for name in row if name not in ("run_s", "worker", "finished_at")}
        for row in rows
    ]


@pytest.mark.slow
@pytest.mark.parametrize(
    ("kills", "scenarios"), [(4, 1_000), pytest.param(20, 4_000, marks=pytest.mark.heavy)]
)
def test_kills_leave_the_rows_of_an_undisturbed_campaign(
    start_cli: Start, run_cli: Run, words: Words, tmp_path: Path, kills: int, scenarios: int
) -> None:
    chance, struck = random.Random(11), tmp_path / "runs/struck"
    process = start_cli("run", struck, *words(scenarios))
    pairs = [("worker", "coordinator"), ("worker", "coordinator at its start")] * (kills // 4)
    chance.shuffle(pairs)
    # A new coordinator begins with units of one scenario, so that none of the rounds ends the
    # campaign: what was out when a worker dies is done before anything else.
    rounds = list(itertools.chain.from_iterable(pairs))
    assert len(rounds) == kills
    orphans: list[int] = []
    try:
        for victim in rounds:
            if victim == "coordinator at its start":
                time.sleep(chance.uniform(0, 1.5))
            else:
                _wait_for_rows(process, struck, chance.choice([1, 1, 20, 60]))
                time.sleep(chance.uniform(0, 0.1))
            if victim == "worker":
                _kill_a_worker(process, chance)
                continue
            orphans += _workers(process)
            process.kill()
            process.communicate(timeout=PATIENCE_S)
            process = start_cli("run", struck, *words(scenarios))
        assert _count(struck) < scenarios, "there was something left to disturb"
        _, stderr = process.communicate(timeout=PATIENCE_S)
        assert process.returncode == 0, stderr
    finally:
        process.kill()
        process.communicate()
    calm = run_cli("run", "runs/calm", *words(scenarios))
    assert calm.exit_code == 0, calm.stderr
    rows = _rows(run_cli, "runs/struck")
    assert rows == _rows(run_cli, "runs/calm")
    assert len(rows) == scenarios
    assert not any(row["due_crash"] for row in rows)
    assert _count(struck, "attempts") > 0
    assert _count(tmp_path / "runs/calm", "attempts") == 0
    assert not any(b"spawn_main" in _command(number) for number in orphans)


def test_workers_end_with_their_coordinator(start_cli: Start, words: Words, tmp_path: Path) -> None:
    folder = tmp_path / "runs/a"
    process = start_cli("run", folder, *words(4_000))
    _wait_for_rows(process, folder, 1)
    workers = _workers(process)
    process.kill()
    process.communicate(timeout=PATIENCE_S)
    assert len(workers) == 2
    deadline = time.monotonic() + PATIENCE_S
    while any(b"spawn_main" in _command(number) for number in workers):
        assert time.monotonic() < deadline
        time.sleep(0.05)
