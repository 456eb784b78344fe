"""Running: rows do not depend on interruptions, workers, order or executors."""

from __future__ import annotations

import gc
import signal
import subprocess
import sys
import threading
import time
from concurrent.futures import Executor, ThreadPoolExecutor
from pathlib import Path

import pytest

from onnxfi.campaign import Progress, StopRequest, open_campaign, run_campaign, stop_on_signals
from onnxfi.errors import CampaignLockedError, ConfigError
from onnxfi.settings import RunOptions


def test_all_scenarios_are_run_and_a_second_call_does_nothing(create, rows_of):
    campaign = create()
    first = run_campaign(campaign)
    assert (first.total, first.done_before, first.done_now, first.stopped) == (60, 0, 60, None)
    rows = rows_of(campaign)
    assert [row["scenario"] for row in rows] == list(range(60))
    assert all(row["samples"] == 60 for row in rows)
    assert any(row["masked"] < 60 for row in rows), "no fault changed any output"
    again = run_campaign(campaign)
    assert (again.done_before, again.done_now) == (60, 0)
    assert rows_of(campaign) == rows


def test_two_workers_give_the_rows_of_one(create, rows_of):
    alone, pair = create("one"), create("two")
    run_campaign(alone, RunOptions(workers=1))
    run_campaign(pair, RunOptions(workers=2))
    assert rows_of(alone) == rows_of(pair)
    assert alone.document.identity == pair.document.identity


def test_a_run_stopped_early_goes_on_to_the_same_rows(create, rows_of):
    whole, parts = create("whole"), create("parts")
    run_campaign(whole)
    first = run_campaign(parts, RunOptions(max_injections=7))
    assert (first.done_now, first.stopped) == (7, "max-injections")
    assert run_campaign(parts).stopped is None
    assert rows_of(parts) == rows_of(whole)


def test_a_time_budget_stops_the_run(create):
    summary = run_campaign(create(), RunOptions(time_budget_s=1e-9))
    assert (summary.done_now, summary.stopped) == (0, "time-budget")


def test_a_stop_request_ends_the_run_with_what_is_done_stored(create):
    campaign, stop = create(), StopRequest()

    def after_the_first(progress: Progress) -> None:
        assert progress.done >= 1
        stop.request()

    summary = run_campaign(campaign, on_progress=after_the_first, stop=stop)
    assert summary.stopped == "signal"
    assert campaign.done() == summary.done_now < 60


def test_a_stop_request_after_the_last_injection_stops_nothing(create):
    stop = StopRequest()

    def at_the_end(progress: Progress) -> None:
        if progress.done == progress.total:
            stop.request(signal.SIGINT)

    summary = run_campaign(create(), on_progress=at_the_end, stop=stop)
    assert (summary.done_now, summary.stopped) == (60, None)


def test_the_first_signal_asks_and_the_second_interrupts():
    stop, before = StopRequest(), signal.getsignal(signal.SIGTERM)
    with stop_on_signals(stop):
        signal.raise_signal(signal.SIGTERM)
        assert stop.requested
        assert stop.signal == signal.SIGTERM
        with pytest.raises(KeyboardInterrupt):
            signal.raise_signal(signal.SIGTERM)
    assert signal.getsignal(signal.SIGTERM) == before


@pytest.mark.parametrize("workers", [1, 2])
def test_kill_9_in_the_middle_loses_nothing(create, rows_of, workers):
    whole, killed = create("whole", engine="bake"), create("killed", engine="bake")
    run_campaign(whole)
    code = (
        "import sys; from pathlib import Path\n"
        "from onnxfi.campaign import open_campaign, run_campaign\n"
        "from onnxfi.settings import RunOptions\n"
        "if __name__ == '__main__':\n"
        "    run_campaign(open_campaign(Path(sys.argv[1])), RunOptions(workers=int(sys.argv[2])),"
        " lambda p: print(p.done, flush=True))\n"
    )
    script = killed.folder.path / "child.py"
    script.write_text(code)
    child = subprocess.Popen(
        [sys.executable, str(script), str(killed.folder.path), str(workers)],
        stdout=subprocess.PIPE,
        text=True,
    )
    assert child.stdout is not None
    child.stdout.readline()  # something is stored
    child.send_signal(signal.SIGKILL)
    child.stdout.close()
    child.wait()
    assert killed.done() > 0
    run_campaign(open_campaign(killed.folder.path))
    assert rows_of(killed) == rows_of(whole)


def test_a_running_campaign_is_locked(create):
    campaign = create()
    seen = []

    def run_it_again(_progress: Progress) -> None:
        if not seen:
            with pytest.raises(CampaignLockedError, match="another process"):
                run_campaign(open_campaign(campaign.folder.path))
            seen.append(True)

    run_campaign(campaign, on_progress=run_it_again)
    assert seen


def test_any_executor_will_do(create, rows_of):
    asked = []

    def threads(workers: int) -> Executor:
        asked.append(workers)
        return ThreadPoolExecutor(1)

    mine, own = create("mine"), create("own")
    run_campaign(mine, RunOptions(workers=2, executor=threads))
    run_campaign(own)
    assert asked == [2]
    assert rows_of(mine) == rows_of(own)


def test_progress_is_told_and_ends_at_the_total(create):
    told: list[Progress] = []
    run_campaign(create(), on_progress=told.append)
    assert [p.done for p in told] == sorted(p.done for p in told)
    assert told[-1].done == told[-1].total == 60


@pytest.mark.parametrize("options", [{"workers": 0}, {"max_injections": 0}, {"time_budget_s": 0.0}])
def test_options_that_make_no_sense_are_refused(create, options):
    with pytest.raises(ConfigError, match="expected"):
        run_campaign(create(), RunOptions(**options))


def test_workers_do_not_outlive_an_interrupted_coordinator(create, tmp_path):
    campaign = create(sampler={"kind": "uniform", "n": 5000, "seed": 1})
    script = tmp_path / "child.py"
    script.write_text(
        "import sys; from pathlib import Path\n"
        "from onnxfi.campaign import *\n"
        "from onnxfi.settings import RunOptions\n"
        "if __name__ == '__main__':\n"
        "    stop = StopRequest()\n"
        "    with stop_on_signals(stop):\n"
        "        s = run_campaign(open_campaign(Path(sys.argv[1])), RunOptions(workers=2),"
        " lambda p: print(p.done, flush=True), stop)\n"
        "    print('stopped', s.stopped, flush=True)\n"
    )
    child = subprocess.Popen(
        [sys.executable, str(script), str(campaign.folder.path)], stdout=subprocess.PIPE, text=True
    )
    assert child.stdout is not None
    child.stdout.readline()
    child.send_signal(signal.SIGTERM)
    rest = child.stdout.read()
    child.stdout.close()
    assert child.wait() == 0
    assert "stopped signal" in rest
    assert 0 < campaign.done() < 5000
    deadline = time.monotonic() + 60
    while _children_of(campaign.folder.path) and time.monotonic() < deadline:
        time.sleep(0.05)
    assert not _children_of(campaign.folder.path)


def _children_of(folder: Path) -> list[str]:
    """Command lines of processes that name the folder."""
    found = []
    for entry in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            text = entry.read_text(errors="replace")
        except OSError:
            continue
        if str(folder) in text and "child.py" in text:
            found.append(text)
    return found


def test_nothing_is_left_running_in_this_process(create):
    before = {thread.name for thread in threading.enumerate()}
    run_campaign(create())
    gc.collect()
    assert {thread.name for thread in threading.enumerate()} <= before
