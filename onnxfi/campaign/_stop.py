"""What ends a run early: rules that look at results, and requests, such as a signal."""

from __future__ import annotations

import contextlib
import math
import signal
import threading
from collections.abc import Iterator
from functools import cached_property
from types import FrameType

from onnxfi.analysis import design_of, is_picked, look_confidence, observe
from onnxfi.campaign._campaign import OpenCampaign
from onnxfi.campaign._experiment import Experiment
from onnxfi.campaign._store import ResultStore
from onnxfi.errors import ConfigError
from onnxfi.outcome import scenario_failed
from onnxfi.settings import StopRule

_GROWTH = 1.25  # each look at a margin has so many times the scenarios of the one before


class StopCheck:
    """Looks at a campaign's finished blocks for a stop rule."""

    def __init__(self, campaign: OpenCampaign, rule: StopRule, store: ResultStore) -> None:
        """Begin with what is stored.

        Args:
            campaign: The campaign.
            rule: The rule.
            store: Its results.

        Raises:
            ConfigError: The rule stops for a rate, and scenarios were picked to find failures.
        """
        self._campaign = campaign
        self._rule = rule
        self._store = store
        self._looks = store.looks()
        self._failed_before = self._count() if rule.find is not None else 0
        # A rule given again, or a looser one, may be content with what was seen before.
        self._last = self._looks[-1] if self._looks else 0
        if rule.estimating and is_picked(self._experiment.header, self._experiment.source):
            raise ConfigError(
                "a margin is for estimating a rate, and no rate can be had from sampler top; stop"
                " with find (--find), or use sampler importance, stratified or uniform"
            )

    @cached_property
    def _experiment(self) -> Experiment:
        """Only a margin needs to know how scenarios were chosen."""
        return self._campaign.experiment()

    def reached(self, failures: int) -> str | None:
        """Which limit has been reached, None if none has; looks only where there is news.

        Args:
            failures: Failing scenarios stored since this was made.
        """
        used = self._campaign.used_in(self._store)
        news = used > 0 and used >= self._next()
        if news:
            self._looks = (*self._looks, used)
            self._store.set_looks(self._looks)
        if self._rule.find is not None:
            return "find" if self._failed_before + failures >= self._rule.find else None
        known, self._last = self._last, 0
        if news:
            return self._narrow(used)
        return self._narrow(known) if known else None

    def _next(self) -> int:
        """Scenarios of the next look."""
        last = self._looks[-1] if self._looks else 0
        if self._rule.find is not None:
            return last + 1
        return min(self._campaign.total, max(last + 1, math.ceil(last * _GROWTH)))

    def _count(self) -> int:
        """Failing scenarios in the store."""
        golden, drop = self._campaign.plan.golden_correct, self._campaign.settings.drop
        return sum(scenario_failed(r.counts, golden, drop) for r in self._store.records())

    def _narrow(self, used: int) -> str | None:
        campaign, experiment, rule = self._campaign, self._experiment, self._rule
        seen = observe(
            self._store.records(used),
            golden_correct=campaign.plan.golden_correct,
            drop=campaign.settings.drop,
        )
        design = design_of(experiment.source, experiment.header, used)
        level = look_confidence(rule.confidence, len(self._looks))
        rate = design.rate(seen.failed, level, exact=True)
        if rule.margin is not None and rate.margin <= rule.margin:
            return "margin"
        relative = rule.relative_margin
        if relative is not None and rate.value > 0 and rate.margin <= relative * rate.value:
            return "relative-margin"
        return None


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
