"""The cut engine: only what lies behind a fault is run, from values computed once (late start)."""

from __future__ import annotations

from onnxfi.engine._base import EngineBase
from onnxfi.engine._cache import Cache
from onnxfi.engine._context import EngineContext
from onnxfi.engine._execute import Armed, Windows, scenario_windows
from onnxfi.engine._frontier import Frontier
from onnxfi.engine._late import LateStart
from onnxfi.engine._reference import Reference
from onnxfi.engine._session import Session
from onnxfi.errors import BackendError, ConfigError
from onnxfi.faults import FaultGroup, Scenario
from onnxfi.graph import Split, split
from onnxfi.inject import BatchWindow
from onnxfi.outcome import RunOutputs


class CutEngine(EngineBase):
    """Cuts the model behind the site of a scenario, which is one site.

    The values that cross the cut are computed once for each batch and kept, a fault changes them
    (or a stored tensor behind the cut) on the host, and only the rest of the model runs. Golden
    outputs come from the very same session, fed with the clean values. Which sessions a scenario
    runs in depends on its site alone.

    Args:
        context: Model, workload and sites.
    """

    name = "cut"

    def __init__(self, context: EngineContext) -> None:
        super().__init__(context)
        self._splits: dict[str, Split] = {}
        self._held: Cache[Frontier | LateStart | Reference] = Cache(
            context.settings.memory_limit_bytes
        )

    def arm(self, scenario: Scenario) -> tuple[Armed, Windows]:
        """A scenario ready to run, and the windows to run it in."""
        touched = scenario.sites
        self._check_sites(scenario)
        if len(touched) > 1:
            raise ConfigError(
                f"scenario {scenario.number} touches {len(touched)} sites; engine cut carries out"
                f" scenarios of one site, use another"
            )
        armed = self._armed(scenario.groups[0]) if touched else _Unarmed(self._whole())
        return armed, scenario_windows(self._context, scenario)

    def close(self) -> None:
        """Let go of sessions and threads."""
        self._held.clear()
        self._watchdog.close()

    def _armed(self, faults: FaultGroup) -> _ArmedCut:
        context, watchdog = self._context, self._watchdog
        site = self._sites[faults.site]
        if site.name not in self._splits:
            self._splits[site.name] = split(context.model, site.name)
        parts = self._splits[site.name]
        try:
            frontier = self._held.get(
                ("frontier", parts.frontier, parts.independent),
                lambda: Frontier(context, parts, watchdog),
            )
            assert isinstance(frontier, Frontier)
            late = self._held.get(
                ("suffix", site.name), lambda: LateStart(context, site, parts, frontier, watchdog)
            )
        except BackendError as error:
            raise BackendError(
                f"the model cut behind {site.name!r} does not load (--engine bake may run it):"
                f" {error}"
            ) from error
        assert isinstance(late, LateStart)
        return _ArmedCut(late, frontier, faults)

    def _whole(self) -> Reference:
        context = self._context

        def make() -> Reference:
            session = Session(context.model, context.settings, self._watchdog)
            return Reference(session, context.workload, {})

        whole = self._held.get("whole", make)
        assert isinstance(whole, Reference)
        return whole


class _ArmedCut:
    """A scenario at a late start."""

    def __init__(self, late: LateStart, frontier: Frontier, faults: FaultGroup) -> None:
        self._late = late
        self._frontier = frontier
        self._faults = faults
        self._stored = late.stored(faults)

    def golden(self, window: BatchWindow) -> RunOutputs:
        return self._late.golden(self._frontier, window)

    def faulty(self, window: BatchWindow, hurried: bool) -> RunOutputs:
        changed = self._stored or self._late.computed(self._frontier, window, self._faults)
        return self._late.faulty(self._frontier, window, changed, hurried)


class _Unarmed:
    """A scenario without faults: the untouched model, twice the same."""

    def __init__(self, reference: Reference) -> None:
        self._reference = reference

    def golden(self, window: BatchWindow) -> RunOutputs:
        return self._reference.golden(window)

    def faulty(self, window: BatchWindow, hurried: bool) -> RunOutputs:  # noqa: ARG002
        return self._reference.golden(window)
