"""The ports engine: faults enter instrumented sessions through inputs; no rebuild per scenario."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

from numpy.typing import NDArray

from onnxfi.engine._base import EngineBase
from onnxfi.engine._cache import Cache
from onnxfi.engine._context import EngineContext
from onnxfi.engine._execute import Armed, Windows, scenario_windows
from onnxfi.engine._providers import find_provider
from onnxfi.engine._reference import Reference
from onnxfi.engine._session import Session
from onnxfi.engine._watchdog import Watchdog
from onnxfi.errors import BackendError, ConfigError
from onnxfi.faults import FaultSite, Scenario
from onnxfi.graph import initializer_words
from onnxfi.inject import (
    BatchWindow,
    Instrumented,
    armed_feeds,
    disarmed_feeds,
    instrument,
)
from onnxfi.outcome import RunOutputs

_INDEXABLE = 2**31


class PortsEngine(EngineBase):
    """Keeps a session for each set of open sites.

    A scenario that touches one site runs in a session where only that site is open, since open
    sites cost time and move kernels; any other scenario runs in a session with all sites of the
    campaign open. So the session, and with it the result, depends on the scenario alone.

    Args:
        context: Model, workload and sites.
    """

    name = "ports"

    def __init__(self, context: EngineContext) -> None:
        super().__init__(context)
        self._open: Cache[OpenModel] = Cache(context.settings.memory_limit_bytes)

    def arm(self, scenario: Scenario) -> tuple[Armed, Windows]:
        """A scenario ready to run, and the windows to run it in."""
        touched = scenario.sites
        only = touched[0] if len(touched) == 1 else None
        opened = self._open.get(only, lambda: self._opened(only))
        return _ArmedModel(opened, scenario), scenario_windows(self._context, scenario)

    def close(self) -> None:
        """Let go of sessions and threads."""
        self._open.clear()
        self._watchdog.close()

    def _opened(self, only: str | None) -> OpenModel:
        sites = self._context.sites
        if only is not None:
            if only not in self._sites:
                raise ConfigError(f"site {only!r} is not a site of this campaign")
            sites = (self._sites[only],)
        return OpenModel(self._context, sites, self._watchdog)


class OpenModel:
    """An instrumented model in a session, with its golden outputs.

    Args:
        context: Model and workload.
        sites: Sites to open.
        watchdog: Ends runs that take too long.
    """

    def __init__(
        self, context: EngineContext, sites: tuple[FaultSite, ...], watchdog: Watchdog
    ) -> None:
        settings = context.settings
        on_cpu = find_provider(settings).on_cpu
        if not on_cpu:
            _check_sizes(sites, context.profile.fixed_batch or context.profile.batch_size)
        self.instrumented: Instrumented = instrument(
            context.model, sites, scatter="elements" if on_cpu else "nd"
        )
        try:
            self.session = Session(self.instrumented.model, settings, watchdog)
        except BackendError as error:
            names = ", ".join(repr(site.name) for site in sites[:3])
            raise BackendError(
                f"the model with {names}{', …' if len(sites) > 3 else ''} open for faults does not"
                f" load (--engine bake may run it): {error}"
            ) from error
        self.workload = context.workload
        self.words = {
            lift.site.name: initializer_words(context.model, lift.site.name)
            for lift in self.instrumented.lifts
        }
        self.disarmed = disarmed_feeds(self.instrumented, self.words)
        self.reference = Reference(self.session, context.workload, self.disarmed)

    @property
    def nbytes(self) -> int:
        """Bytes held, roughly."""
        return self.reference.nbytes + sum(words.nbytes for words in self.words.values())


def _check_sizes(sites: Sequence[FaultSite], samples: int) -> None:
    """Refuse tensors that CUDA's Gather and Scatter can't index: they count in 32 bits."""
    for site in sites:
        if site.kind.stored or site.layout is None:
            continue
        elements = math.prod(site.layout.run_shape(samples))
        if elements >= _INDEXABLE:
            raise BackendError(
                f"site {site.name!r} has {elements} elements in a run of {samples} samples, the"
                f" provider's kernels index below 2^31; use a smaller --batch-size"
            )


class _ArmedModel:
    """A scenario in an open model."""

    def __init__(self, opened: OpenModel, scenario: Scenario) -> None:
        self._opened = opened
        self._scenario = scenario
        self._bound = any(group.sample is not None for group in scenario.groups)
        self._feeds: dict[BatchWindow | int, Mapping[str, NDArray[Any]]] = {}

    def golden(self, window: BatchWindow) -> RunOutputs:
        return self._opened.reference.golden(window)

    def faulty(self, window: BatchWindow, hurried: bool) -> RunOutputs:
        opened = self._opened
        feeds = opened.workload.batch(window.start, window.stop, window.size)
        feeds |= {**opened.disarmed, **self._armed(window)}
        return opened.session.run(feeds, hurried=hurried)

    def _armed(self, window: BatchWindow) -> Mapping[str, NDArray[Any]]:
        # Faults that are there for every sample give the same feeds for windows of one size.
        key = window if self._bound else window.size
        if key not in self._feeds:
            opened = self._opened
            self._feeds[key] = armed_feeds(
                opened.instrumented, self._scenario, window=window, stored_words=opened.words
            )
        return self._feeds[key]
