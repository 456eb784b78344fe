"""One thread that ends runs which take too long."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager

from onnxfi.engine.runtime._runtime import RunOptions

_SHORTEST = 0.005
_LONGEST = 1.0


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
    It looks at the clock eight times per limit, at most every 5 ms and at least once a second, and
    is not told when runs begin and end: waking it would cost more than short runs take.
    """

    def __init__(self) -> None:
        self._guard: Guard | None = None
        self._period = _LONGEST
        self._bell = threading.Event()
        self._thread: threading.Thread | None = None
        self._closed = False

    @contextmanager
    def guard(self, options: RunOptions, seconds: float) -> Iterator[Guard]:
        """Guard the run that happens inside the ``with`` block."""
        guard = Guard(options, time.monotonic() + seconds)
        self._guard = guard
        self._start(max(_SHORTEST, seconds / 8))
        try:
            yield guard
        finally:
            self._guard = None

    def close(self) -> None:
        """End the thread."""
        if self._thread is not None:
            self._closed = True
            self._bell.set()
            self._thread.join()
            self._thread = None

    def _start(self, period: float) -> None:
        if self._thread is None:
            self._closed = False
            self._period = min(_LONGEST, period)
            self._thread = threading.Thread(target=self._loop, name="onnxfi-watchdog", daemon=True)
            self._thread.start()
        elif period < self._period:
            self._period = period
            self._bell.set()

    def _loop(self) -> None:
        while not self._closed:
            self._bell.wait(self._period)
            self._bell.clear()
            guard = self._guard
            if guard is not None and not guard.fired and guard.left() <= 0:
                guard.fire()
