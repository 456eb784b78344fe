"""How long a run may take, and the thread that ends runs that take longer."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager

from onnxfi.engine.runtime._cost import run_seconds
from onnxfi.engine.runtime._onnxruntime import RunOptions
from onnxfi.graph import Model

_LEAST_S = 10.0
_SLACK = 1000  # between the static estimate of a run and what counts as hung
_SHARE = 8
_FLOOR_S = 1.0


def default_timeout(model: Model, batch_size: int, steps: int = 1) -> float:
    """Seconds after which a run counts as hung, from static sizes alone.

    A thousand times the estimate for one run, at least 10 s: far beyond what a busy machine adds,
    so that only runs that never end are cut off.

    Args:
        model: The model.
        batch_size: Samples in one run.
        steps: Steps of a sequence.
    """
    return max(_LEAST_S, _SLACK * run_seconds(model, batch_size * steps))


def shortened(timeout_s: float) -> float:
    """The limit of runs in a scenario that has hung before: an eighth, at least one second."""
    return max(timeout_s / _SHARE, min(timeout_s, _FLOOR_S))


class Patience:
    """What the runs of one scenario have shown about hanging.

    A fault in a loop counter hangs every sample. With the whole limit for each run, a batch of 64
    would cost 65 limits, again for every batch. So the first run that hangs has the whole limit,
    later ones of the scenario have less (:func:`shortened`); and once all samples of one batch
    have hung singly, a later batch that hangs is not taken apart. A healthy sample is safe: a
    batch cut off too early is taken apart unless an earlier batch hung to the last sample.

    It starts anew with each scenario and follows the order of its samples, so that what a
    scenario gives does not depend on the ones before it.
    """

    def __init__(self) -> None:
        self.hurried = False
        self.hopeless = False

    def hurry(self) -> None:
        """Take note of a run that hung."""
        self.hurried = True

    def saw_singles(self, timed_out: list[bool]) -> None:
        """Take note of which samples of a batch that hung also hung singly."""
        self.hopeless = self.hopeless or all(timed_out)


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
