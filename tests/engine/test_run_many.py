"""Scenarios carried out together: each gives what it gives alone, whatever the others do."""

from __future__ import annotations

import numpy as np
import pytest

from onnxfi.bits import ElementType
from onnxfi.engine import ENGINES, open_workload, side_by_side
from onnxfi.engine.engines import BakeEngine, EngineBase
from onnxfi.engine.runtime import RunFailedError, RunTimedOutError
from onnxfi.engine.study import windows
from onnxfi.faults import FaultSite, SampleLayout, SiteKind

SAMPLES = 8
LOOP = """
<ir_version: 10, opset_import: ["" : 17]>
looping (float[batch, 2] x) => (float[batch, 2] y)
<int64 trips = {3}, bool always = {1}>
{
  y = Loop (trips, always, x) <
    body = body (int64 i, bool go, float[batch, 2] v) => (bool on, float[batch, 2] w)
    { on = Identity(go)  w = Relu(v) }
  >
}
"""


def _counts(engine, scenarios):
    return [injection.counts for injection in engine.run_many(scenarios)]


@pytest.mark.parametrize("outer", [False, True], ids=["in order", "side by side"])
@pytest.mark.parametrize("name", ENGINES.names())
def test_any_company_and_any_order(prepared, closing, scenario, name, outer):
    sites = [
        name for name, site in prepared.sites.items() if ENGINES.get("lift").refuses(site) is None
    ]
    flips = [(site, 0, bit) for site in sites for bit in (2, 30, 31)]
    faults = [scenario(flip, number=number) for number, flip in enumerate(flips)]
    engine = closing(prepared.engine(name, *sites))
    alone = [engine.run(each).counts for each in faults]
    assert len(set(map(str, alone))) > 2
    engine.batch_outer = outer
    assert _counts(engine, faults) == alone
    assert _counts(engine, faults[::-1]) == alone[::-1]
    engine.most_together = 5
    shuffled = np.random.default_rng(0).permutation(len(faults))
    assert _counts(engine, [faults[k] for k in shuffled]) == [alone[k] for k in shuffled]
    assert _counts(engine, []) == []


def test_scenarios_with_windows_of_their_own(model_of, prepare, closing, scenario):
    """One is bound to a sample in a value of the whole run, so its samples run singly."""
    model = model_of("""
    <ir_version: 10, opset_import: ["" : 17]>
    g (float[batch, 3] x, float scale) => (float[batch, 3] y)
    { y = Mul(x, scale) }
    """)
    given = {"x": np.eye(5, 3, dtype=np.float32) + 1, "scale": np.array(2, np.float32)}
    prepared = prepare(model, open_workload(model, given), batch_size=2)
    faults = [scenario(("scale", 0, 31)), scenario(("scale", 0, 31, 2)), scenario(("scale", 0, 0))]
    engine = closing(prepared.engine("ports", "scale"))
    alone = [engine.run(each).counts for each in faults]
    assert [counts.critical for counts in alone] == [3, 1, 0]
    engine.batch_outer = True
    assert _counts(engine, faults) == alone


@pytest.mark.parametrize("outer", [False, True], ids=["in order", "side by side"])
def test_beside_one_that_hangs(model_of, prepare, closing, scenario, outer):
    model = model_of(LOOP)
    workload = open_workload(model, {"x": np.ones((6, 2), np.float32)})
    layout = SampleLayout(shape=(), batch_axis=None)
    site = FaultSite(
        name="trips",
        kind=SiteKind.WEIGHT,
        element=ElementType.INT64,
        node="node",
        op_type="op",
        layer="node",
        layout=layout,
    )
    prepared = prepare(model, workload, extra=(site,), batch_size=3, timeout_s=0.1)
    engine = closing(prepared.engine("ports", "trips"))
    engine.batch_outer = outer
    faults = [scenario(("trips", 0, bit)) for bit in (0, 50, 1)]
    found = _counts(engine, faults)
    assert [(each.masked, each.due_timeout) for each in found] == [(6, 0), (0, 6), (6, 0)]


class Stub:
    """A scenario that hangs in some samples and raises in others, and notes its runs."""

    def __init__(self, name, log, hanging=(), raising=()):
        self._name = name
        self._log = log
        self._hanging = set(hanging)
        self._raising = set(raising)

    def golden(self, window):
        return {"scores": np.zeros((window.samples, 5), np.float32)}

    def faulty(self, window, hurried):
        self._log.append((self._name, window.start, window.stop, hurried))
        samples = set(range(window.start, window.stop))
        if samples & self._hanging:
            raise RunTimedOutError("hangs")
        if samples & self._raising:
            raise RunFailedError("raises")
        return self.golden(window)


class StubEngine(EngineBase):
    """Carries out stubs, by scenario number."""

    def __init__(self, context, stubs):
        super().__init__(context)
        self._stubs = stubs

    def graph_of(self, scenario):
        return None

    def arm(self, scenario):
        return self._stubs[scenario.number], windows(SAMPLES, 4, None)


@pytest.fixture
def log():
    return []


@pytest.fixture
def stubs(prepared, log):
    """An engine of three scenarios: one healthy, one that hangs, one that raises and hangs."""
    kinds = (((), ()), (range(8), ()), ((6,), (1,)))
    return StubEngine(
        prepared.context, [Stub(k, log, hung, raised) for k, (hung, raised) in enumerate(kinds)]
    )


def _alone(engine, scenario, log, number):
    counts = engine.run(scenario(number=number)).counts
    runs = [entry for entry in log if entry[0] == number]
    log.clear()
    return counts, runs


@pytest.mark.parametrize("order", [(0, 1, 2), (2, 1, 0), (1, 0, 2), (1, 1, 0)])
def test_patience_is_each_scenarios_own(stubs, scenario, log, order):
    alone = {number: _alone(stubs, scenario, log, number) for number in set(order)}
    stubs.batch_outer = True
    together = _counts(stubs, [scenario(number=number) for number in order])
    assert together == [alone[number][0] for number in order]
    for number, (_, runs) in alone.items():
        mine = [entry for entry in log if entry[0] == number]
        assert sorted(mine) == sorted(runs * order.count(number))


def test_windows_outside_scenarios_inside(stubs, scenario, log):
    stubs.batch_outer = True
    both = [scenario(number=0), scenario(number=2)]
    _counts(stubs, both)
    # The samples of a window that fails run singly at once, before the next scenario's turn.
    assert [entry[:3] for entry in log[:3]] == [(0, 0, 4), (2, 0, 4), (2, 0, 1)]
    assert [entry[1] // 4 for entry in log] == sorted(entry[1] // 4 for entry in log)
    log.clear()
    stubs.batch_outer = False
    _counts(stubs, both)
    assert [entry[0] for entry in log] == sorted(entry[0] for entry in log)


def test_results_come_as_they_are_done(stubs, scenario, log):
    found = stubs.run_many([scenario(number=0), scenario(number=0)])
    assert next(found).counts.masked == SAMPLES
    assert len(log) == 2, "the second scenario has not begun"
    assert next(found).counts.masked == SAMPLES


def test_the_clock_of_a_scenario_runs_only_in_its_turn(stubs, scenario, monkeypatch):
    """A clock that goes on by one whenever it is read: arming and each window cost one."""
    ticks = iter(range(1_000))
    monkeypatch.setattr("onnxfi.engine.engines._base.time.perf_counter", lambda: next(ticks))
    alone = stubs.run(scenario(number=0)).run_s
    stubs.batch_outer = True
    found = list(stubs.run_many([scenario(number=0), scenario(number=1), scenario(number=2)]))
    assert [each.run_s for each in found] == [alone] * 3


def test_which_engines_run_scenarios_side_by_side(monkeypatch):
    assert not side_by_side("bake")
    monkeypatch.setattr(BakeEngine, "batch_outer", True)
    assert side_by_side("bake")
