"""Which scenarios are put down as having crashed, on pools whose processes die as told."""

from __future__ import annotations

import itertools
from concurrent.futures import BrokenExecutor, Executor, Future

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from onnxfi.campaign import DEATHS, LOADS, run_suspects
from onnxfi.errors import BackendError


class DeathError(Exception):
    """The process of a pool dies."""


class Pool(Executor):
    """A pool of one process; none are used on purpose once it is dead."""

    def __init__(self):
        self.dead = False

    def submit(self, fn, /, *args, **kwargs):
        future = Future()
        assert not self.dead
        try:
            future.set_result(fn(*args, **kwargs))
        except DeathError:
            self.dead = True
            future.set_exception(BrokenExecutor("died"))
        except Exception as error:
            future.set_exception(error)
        return future


def _run(units, run_unit):
    """What came back, and how many processes it took."""
    pools = []

    def factory(workers):
        assert workers == 1
        pools.append(Pool())
        return pools[-1]

    found = list(run_suspects(units, run_unit, factory))
    return found, len(pools)


def _outcomes(found):
    crashed = {number for each in found if each.crashed for number in each.unit}
    whole = [number for each in found if not each.crashed for number in each.records]
    return crashed, whole


@given(st.integers(1, 200), st.data())
@settings(max_examples=60)
def test_exactly_the_deadly_ones_crash(count, data):
    deadly = data.draw(st.sets(st.integers(0, count - 1), max_size=4))
    cuts = sorted(data.draw(st.sets(st.integers(1, count), max_size=4)) | {0, count})
    units = [range(*pair) for pair in itertools.pairwise(cuts)]

    def run_unit(unit):
        if deadly.intersection(unit):
            raise DeathError
        return list(unit)

    found, pools = _run(units, run_unit)
    crashed, whole = _outcomes(found)
    assert crashed == deadly
    assert sorted([*whole, *crashed]) == list(range(count))
    # Halving: a process for each time that the unit of a deadly one is cut, not one a scenario.
    assert pools <= 1 + len(deadly) * (count.bit_length() + 1 + DEATHS)


def test_a_worker_that_is_killed_once_from_outside_costs_no_row():
    for moment in range(12):
        runs = []

        def run_unit(unit, runs=runs, moment=moment):
            if unit:
                runs.append(unit)
                if len(runs) == moment + 1:
                    raise DeathError
            return list(unit)

        crashed, whole = _outcomes(_run([range(3), range(3, 4), range(4, 9)], run_unit)[0])
        assert crashed == set()
        assert sorted(whole) == list(range(9))


def test_a_death_in_a_used_process_is_not_held_against_a_scenario():
    """Its predecessor may have broken the process."""
    given, deaths = [], []

    def run_unit(unit):
        if unit:
            given.append(tuple(unit))
            # 1 dies behind 0 in the same process, and once more by bad luck.
            if 1 in unit and len(deaths) < 2:
                deaths.append(unit)
                raise DeathError
        return list(unit)

    crashed, whole = _outcomes(_run([[0], [1]], run_unit)[0])
    assert (crashed, whole) == (set(), [0, 1])
    assert given == [(0,), (1,), (1,), (1,)]


def test_failing_machinery_is_handed_on():
    def run_unit(unit):
        if unit:
            raise OSError("disk on fire")
        return []

    (finished,), _ = _run([[3, 4]], run_unit)
    assert isinstance(finished.error, OSError)
    assert not finished.crashed


def test_a_process_may_be_killed_while_it_loads():
    loads = []

    def run_unit(unit):
        if not unit:
            loads.append(unit)
            if len(loads) < LOADS:
                raise DeathError
        return list(unit)

    found, pools = _run([[0, 1]], run_unit)
    assert _outcomes(found) == (set(), [0, 1])
    assert pools == LOADS

    def broken(unit):
        raise DeathError

    with pytest.raises(BackendError, match="die before they are given any fault"):
        _run([[0]], broken)
