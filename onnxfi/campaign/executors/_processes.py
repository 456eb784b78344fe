"""Units run in processes that are spawned on this machine, and end with their coordinator."""

from __future__ import annotations

import multiprocessing
import os
import signal
import threading
from concurrent.futures import Executor, ProcessPoolExecutor
from dataclasses import dataclass
from typing import ClassVar


@dataclass(frozen=True, slots=True, kw_only=True)
class ProcessesExecutor:
    """Runs calls in a pool of spawned processes."""

    name: ClassVar[str] = "processes"
    help: ClassVar[str] = "in spawned processes of this machine"
    isolated: ClassVar[bool] = True

    def __call__(self, workers: int) -> Executor:
        """Return a pool of so many processes."""
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
