"""The cut engine: only what a fault reaches is run, from golden values computed once."""

from __future__ import annotations

from collections.abc import Hashable
from typing import ClassVar

from onnxfi.engine._bake import BakeEngine
from onnxfi.engine._base import EngineBase
from onnxfi.engine._context import EngineContext
from onnxfi.engine._execute import Armed, Windows, scenario_windows
from onnxfi.engine._late import ArmedLate
from onnxfi.engine._openings import Openings
from onnxfi.faults import Scenario


class CutEngine(EngineBase):
    """Cuts the graph where faults enter and where work begins, and runs it part by part.

    Values that cross a cut are computed once for each batch and kept. A fault changes one of them
    (or a stored tensor that a part reads) on the host; then only those parts run that it reaches
    (late start), and only for the samples in which what they read differs from golden (early
    stop). Any number of faults may act at once, in any sites. What would cost integer operators as
    an input is baked.

    Args:
        context: Model, workload and sites.
    """

    name = "cut"
    batch_outer: ClassVar[bool] = True

    def __init__(self, context: EngineContext) -> None:
        super().__init__(context)
        self._openings = Openings(context, self._watchdog)
        self._baking = BakeEngine(context)

    def arm(self, scenario: Scenario) -> tuple[Armed, Windows]:
        """A scenario ready to run, and the windows to run it in."""
        self._check_sites(scenario)
        if self._openings.baked(scenario.sites):
            return self._baking.arm(scenario)
        late = self._openings.late(scenario.sites)
        return ArmedLate(late, scenario), scenario_windows(self._context, scenario)

    def _shared_by(self, scenario: Scenario) -> Hashable:
        self._check_sites(scenario)
        if self._openings.baked(scenario.sites):
            return id(scenario)  # alone: each baked model has a session of its own
        return self._openings.shared_by(scenario.sites)

    def close(self) -> None:
        """Let go of sessions and threads."""
        self._openings.clear()
        self._baking.close()
        self._watchdog.close()
