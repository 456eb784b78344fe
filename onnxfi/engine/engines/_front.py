"""Fronts: scenarios of one graph that go through its parts together, a window at a time."""

from __future__ import annotations

import time
from collections.abc import Hashable, Iterator, Sequence

from onnxfi.engine.cut import ArmedLate, Found, LateStart, propagate
from onnxfi.engine.engines._base import Counted, same_windows
from onnxfi.engine.golden import BatchResult, EngineContext
from onnxfi.engine.runtime import RunFailedError, RunTimedOutError
from onnxfi.inject import BatchWindow
from onnxfi.outcome import OutcomeCounts, classify_together, judges_rows

# Bytes that the rows of a front may take: as long as they fit the cache, they cost little.
_FRONT_BYTES = 16 << 20
# Of a scenario that enters by crops, most rows never become whole ones at once.
_CROPS = 4
_MOST = 1024


def carry_out(context: EngineContext, late: LateStart, scenarios: Sequence[Counted]) -> None:
    """Carry out scenarios that are armed at a late start, all windows.

    What a scenario gives does not depend on the others: where a run of several fails, they run
    apart.

    Args:
        context: Criterion, labels, and the memory limit.
        late: The graph.
        scenarios: The scenarios.
    """
    budget = min(_FRONT_BYTES, context.settings.memory_limit_bytes // 4)
    for group in same_windows(scenarios):
        alike: dict[Hashable, list[Counted]] = {}
        for scenario in group:
            alike.setdefault(_armed(scenario).kind, []).append(scenario)
        for window in group[0].windows:
            for some in alike.values():
                for front in _fronts(late, some, window, budget):
                    _advance(context, front, window)


def _armed(scenario: Counted) -> ArmedLate:
    armed = scenario.armed
    assert isinstance(armed, ArmedLate)
    return armed


def _fronts(
    late: LateStart, scenarios: Sequence[Counted], window: BatchWindow, budget: int
) -> Iterator[list[Counted]]:
    """Scenarios in lists whose rows fit a budget, those that begin at the same part together."""
    front: list[Counted] = []
    room = 0
    for scenario in sorted(scenarios, key=lambda each: _armed(each).first):
        if not front:
            armed = _armed(scenario)
            each = late.row_bytes(armed.first, window) * window.size
            share = _CROPS if armed.cropped else 1
            room = max(1, min(_MOST, share * budget // max(1, each)))
        front.append(scenario)
        if len(front) >= room:
            yield front
            front = []
    if front:
        yield front


def _advance(context: EngineContext, front: Sequence[Counted], window: BatchWindow) -> None:
    """Run a window of some scenarios; what fails together runs apart."""
    ready = [scenario for scenario in front if not scenario.hurried]
    for scenario in front:
        if scenario.hurried:
            scenario.advance(window)
    if not ready:
        return
    start = time.perf_counter()
    try:
        common = _armed(ready[0]).common(window)
        found = propagate(common, [_armed(scenario).start(window) for scenario in ready])
        counts = _counted(context, found, window, len(ready))
    except RunTimedOutError:
        for scenario in ready:
            scenario.advance(window)
        return
    except RunFailedError:
        if len(ready) == 1:
            ready[0].advance(window)
        else:
            half = len(ready) // 2
            _advance(context, ready[:half], window)
            _advance(context, ready[half:], window)
        return
    seconds = (time.perf_counter() - start) / len(ready)
    for scenario, each in zip(ready, counts, strict=True):
        scenario.add(each, seconds)


def _counted(
    context: EngineContext, found: Found, window: BatchWindow, scenarios: int
) -> Sequence[OutcomeCounts | BatchResult]:
    """What the runs of some scenarios come to."""
    profile, labels = context.profile, context.workload.labels
    if not context.monitors and judges_rows(context.criterion, profile.outputs):
        rows = found.rows()
        if rows is not None:
            return classify_together(
                rows,
                scenarios,
                profile.outputs,
                context.criterion,
                None if labels is None else labels[window.start : window.stop],
                window.samples,
            )
    golden = found.golden
    return [
        BatchResult(window=window, golden=golden, faulty=found.outputs(k), failure=None)
        for k in range(scenarios)
    ]
