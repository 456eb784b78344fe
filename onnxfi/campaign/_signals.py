"""Stopping on request: the first signal ends a run in order, the second at once."""

from __future__ import annotations

import contextlib
import signal
import threading
from collections.abc import Iterator
from types import FrameType


class StopRequest:
    """A flag that asks a running campaign to stop submitting, finish what runs, and return."""

    def __init__(self) -> None:
        self._event = threading.Event()
        self._signal: int | None = None

    @property
    def requested(self) -> bool:
        """True once somebody asked."""
        return self._event.is_set()

    @property
    def signal(self) -> int | None:
        """Number of the signal that asked, None if it was not a signal."""
        return self._signal

    def request(self, signal_number: int | None = None) -> None:
        """Ask."""
        self._signal = signal_number
        self._event.set()


@contextlib.contextmanager
def stop_on_signals(stop: StopRequest) -> Iterator[None]:
    """Turn SIGINT and SIGTERM into a stop request while the block runs.

    A second signal raises KeyboardInterrupt: what is stored stays stored, what runs is lost.
    Outside the main thread, where Python forbids handlers, nothing is changed.
    """
    if threading.current_thread() is not threading.main_thread():
        yield
        return

    def handle(number: int, _frame: FrameType | None) -> None:
        if stop.requested:
            raise KeyboardInterrupt
        stop.request(number)

    numbers = (signal.SIGINT, signal.SIGTERM)
    previous = {number: signal.signal(number, handle) for number in numbers}
    try:
        yield
    finally:
        for number, handler in previous.items():
            signal.signal(number, handler)
