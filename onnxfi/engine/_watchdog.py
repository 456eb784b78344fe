"""One thread that ends runs which take too long."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager

from onnxfi.engine._runtime import RunOptions


class Guard:
    """One guarded run.

    Attributes:
        fired: True once the run has been told to end.
    """

    __slots__ = ("_deadline", "_options", "fired")

    def __init__(self, options: RunOptions, deadline: float) -> None:
        self._options = options
        self._deadline = deadline
        self.fired = False

    def left(self) -> float:
        """Seconds until the deadline, negative after it."""
        return self._deadline - time.monotonic()

    def fire(self) -> None:
        """Tell the run to end."""
        self.fired = True
        self._options.terminate = True


class Watchdog:
    """Ends runs past their limit through ``RunOptions.terminate``, which stops endless loops too.

    One run is guarded at a time. The thread starts with the first one and ends with :meth:`close`.
    """

    def __init__(self) -> None:
        self._changed = threading.Condition()
        self._guard: Guard | None = None
        self._thread: threading.Thread | None = None
        self._closed = False

    @contextmanager
    def guard(self, options: RunOptions, seconds: float) -> Iterator[Guard]:
        """Guard the run that happens inside the ``with`` block."""
        guard = Guard(options, time.monotonic() + seconds)
        self._watch(guard)
        try:
            yield guard
        finally:
            self._watch(None)

    def close(self) -> None:
        """End the thread."""
        with self._changed:
            self._closed = True
            self._changed.notify()
        if self._thread is not None:
            self._thread.join()
            self._thread = None

    def _watch(self, guard: Guard | None) -> None:
        with self._changed:
            self._guard = guard
            if self._thread is None and guard is not None:
                self._closed = False
                self._thread = threading.Thread(
                    target=self._loop, name="onnxfi-watchdog", daemon=True
                )
                self._thread.start()
            self._changed.notify()

    def _loop(self) -> None:
        with self._changed:
            while not self._closed:
                guard = self._guard
                if guard is None or guard.fired:
                    self._changed.wait()
                elif guard.left() > 0:
                    self._changed.wait(guard.left())
                else:
                    guard.fire()
