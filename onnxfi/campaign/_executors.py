"""The executors that a campaign runs on by default: this process, or spawned ones."""

from __future__ import annotations

import multiprocessing
import os
import signal
import threading
from concurrent.futures import Executor, ProcessPoolExecutor

from onnxfi.campaign._dispatch import InlineExecutor
from onnxfi.campaign._isolate import ExecutorFactory


def executor_factory(workers: int) -> ExecutorFactory:
    """The factory for ``workers`` processes; 1 runs in the calling process."""
    return _inline if workers == 1 else _spawned


def _inline(_workers: int) -> Executor:
    return InlineExecutor()


def _spawned(workers: int) -> Executor:
    # Spawned, not forked: onnxruntime keeps threads, and a fork would inherit their locks held.
    return ProcessPoolExecutor(
        workers, mp_context=multiprocessing.get_context("spawn"), initializer=_settle_in
    )


def _settle_in() -> None:
    """Make this process one that does as the coordinator does."""
    # Ctrl-C reaches the whole process group; only the coordinator decides what it means.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    threading.Thread(target=_end_with_coordinator, name="onnxfi-parent", daemon=True).start()


def _end_with_coordinator() -> None:
    """A coordinator that is killed can't tell its workers, which would wait for units forever."""
    coordinator = multiprocessing.parent_process()
    if coordinator is not None:
        coordinator.join()
        os._exit(1)
