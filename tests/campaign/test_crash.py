"""Workers that die, and machinery that fails: outcomes are not invented, nothing is lost."""

from __future__ import annotations

import multiprocessing
import os
import sys
import threading
from concurrent.futures import Executor, ProcessPoolExecutor, ThreadPoolExecutor
from pathlib import Path

import pytest

from onnxfi.campaign import CustomParts, replay, run_campaign
from onnxfi.campaign import _run as run_module
from onnxfi.errors import BackendError
from onnxfi.outcome import FunctionCriterion, Outcome
from onnxfi.settings import RunOptions


def deadly(golden, faulty, labels):
    """A network whose worst answers kill the process that looks at them."""
    changed = golden.argmax(axis=1) != faulty.argmax(axis=1)
    coordinator = int(os.environ["ONNXFI_TEST_COORDINATOR"])
    if os.getpid() != coordinator and changed.mean() > 0.3:
        os._exit(9)
    return changed


@pytest.fixture
def importable(monkeypatch):
    """Workers unpickle the function by name: let them find this file, as users' modules are."""
    module = Path(__file__).stem
    folder = str(Path(__file__).parent)
    monkeypatch.setenv("PYTHONPATH", folder)
    monkeypatch.setenv("ONNXFI_TEST_COORDINATOR", str(os.getpid()))
    monkeypatch.syspath_prepend(folder)
    found = __import__(module)
    yield found
    sys.modules.pop(module, None)


@pytest.mark.slow
def test_a_scenario_that_kills_its_worker_is_due_crash_and_the_rest_is_whole(
    create, rows_of, importable
):
    # set:1e30 into a bias wrecks every answer of the layer behind it: those scenarios are deadly.
    chosen = {
        "model": str(Path("models/lenet5_mnist_fp32.onnx").absolute()),
        "targets": ("bias",),
        "fault_models": ("set:1e30",),
        "include": ("conv1*",),
        "sampler": {"kind": "exhaustive"},
    }
    custom = CustomParts(criterion=FunctionCriterion(importable.deadly))
    campaign = create("deadly", custom=custom, **chosen)
    run_campaign(campaign, RunOptions(workers=2))
    calm = create("calm", custom=custom, **chosen)
    run_campaign(calm)
    crashed = [row for row in rows_of(campaign) if row["due_crash"]]
    assert crashed
    assert all(row["due_crash"] == row["samples"] for row in crashed)
    kept = {row["scenario"]: row for row in rows_of(campaign) if not row["due_crash"]}
    assert kept == {row["scenario"]: row for row in rows_of(calm) if row["scenario"] in kept}
    assert len(rows_of(campaign)) == campaign.total
    again = replay(campaign, crashed[0]["scenario"])
    assert again.same
    assert set(again.outcomes.tolist()) == {Outcome.DUE_CRASH}


def die() -> None:
    os._exit(3)


def test_workers_that_can_not_start_are_no_outcome(create, importable):
    """A broken installation, or too little memory, must not be blamed on the faults."""

    def broken(workers: int) -> Executor:
        context = multiprocessing.get_context("spawn")
        return ProcessPoolExecutor(workers, mp_context=context, initializer=importable.die)

    campaign = create()
    with pytest.raises(BackendError, match="die before they are given any fault"):
        run_campaign(campaign, RunOptions(workers=2, executor=broken))
    assert campaign.done() == 0


def test_failing_machinery_is_retried_and_never_counted(create, monkeypatch, rows_of):
    campaign, calm = create("flaky"), create("calm")
    real, lock, failures = run_module.run_unit, threading.Lock(), []

    def flaky(key, unit):
        with lock:
            if len(failures) < 2 and 5 in unit:
                failures.append(unit)
                raise OSError("disk on fire")
        return real(key, unit)

    monkeypatch.setattr("onnxfi.campaign._run.run_unit", flaky)
    run_campaign(campaign)
    run_campaign(calm)
    assert len(failures) == 2
    assert rows_of(campaign) == rows_of(calm)
    with campaign.open_store() as store:
        assert store.attempts() >= 2


def test_machinery_that_fails_on_the_last_unit_gets_its_retry(create, monkeypatch):
    campaign, real, left, failures = create(), run_module.run_unit, [60], []

    def flaky(key, unit):
        if not failures and len(unit) == left[0]:
            failures.append(unit)
            raise OSError("disk on fire")
        left[0] -= len(unit)
        return real(key, unit)

    monkeypatch.setattr("onnxfi.campaign._run.run_unit", flaky)
    options = RunOptions(workers=2, executor=lambda _workers: ThreadPoolExecutor(1))
    assert run_campaign(campaign, options).done_now == 60
    assert failures


def test_machinery_that_never_works_ends_the_run_with_what_to_do(create, monkeypatch):
    campaign = create()

    def broken(key, unit):
        raise OSError("disk on fire")

    monkeypatch.setattr("onnxfi.campaign._run.run_unit", broken)
    with pytest.raises(BackendError, match=r"disk on fire.*run again"):
        run_campaign(campaign)
    assert campaign.done() == 0


def kill_once(golden, faulty, labels):
    """A worker that something outside kills, once."""
    marker = Path(os.environ["ONNXFI_TEST_MARKER"])
    if not marker.exists():
        marker.touch()
        os._exit(9)
    return golden.argmax(axis=1) != faulty.argmax(axis=1)


def test_a_worker_killed_from_outside_is_an_attempt_and_no_outcome(
    create, rows_of, importable, monkeypatch, tmp_path
):
    marker = tmp_path / "killed"
    monkeypatch.setenv("ONNXFI_TEST_MARKER", str(marker))
    custom = CustomParts(criterion=FunctionCriterion(importable.kill_once))
    marker.touch()
    calm = create("calm", custom=custom)
    run_campaign(calm)
    campaign = create("struck", custom=custom)
    marker.unlink()
    run_campaign(campaign, RunOptions(workers=2))
    assert rows_of(campaign) == rows_of(calm)
    with campaign.open_store() as store:
        assert store.attempts() > 0
