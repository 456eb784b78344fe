"""Which executor a number of workers gets."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import Executor

from onnxfi.campaign.executors._inline import inline
from onnxfi.campaign.executors._processes import processes

ExecutorFactory = Callable[[int], Executor]


def executor_factory(workers: int) -> ExecutorFactory:
    """The factory for ``workers`` processes; 1 runs in the calling process."""
    return inline if workers == 1 else processes
