"""Propagating: what a run of the whole chain gives, from only those parts and samples it takes."""

from __future__ import annotations

import re
from dataclasses import dataclass, field, replace

import numpy as np
import pytest

from onnxfi.engine import open_workload
from onnxfi.engine.cut import Common, LateStart, PartChain, Start, ValueFaults, propagate
from onnxfi.engine.executable import Opening, open_stored
from onnxfi.engine.runtime import Watchdog
from onnxfi.errors import FaultError
from onnxfi.faults import SampleLayout
from onnxfi.inject import BatchWindow, faulty_array, window_columns

RESIDUAL = """
<ir_version: 10, opset_import: ["" : 17]>
residual (float[n, 4] x) => (float[n, 4] y, float[n, 4] z, float[n, 4] early)
<float[4] w1 = {1.0, -2.0, 3.0, 4.0}, float[4, 4] w2 = {1.0, 2.0, 3.0, 4.0, 1.0, 2.0, -3.0, 4.0,
 1.0, 2.0, 3.0, 4.0, 1.0, 2.0, 3.0, -4.0}, float[4] shared = {0.5, 0.25, 0.125, 2.0}>
{
  early = Neg(x)
  a = Mul(x, w1)
  b = Relu(a)
  c = MatMul(b, w2)
  s = Mul(c, shared)
  d = Add(s, b)
  t = Transpose<perm = [1, 0]>(d)
  u = Tanh(t)
  v = Transpose<perm = [1, 0]>(u)
  y = Mul(v, shared)
  z = Add(a, c)
}
"""

BRANCHES = """
<ir_version: 10, opset_import: ["" : 17]>
branches (float[n, 6] x) => (float[n, 6] left, float[n, 6] r2, float[n, 12] both)
<float[6] w = {1.0, -2.0, 3.0, 4.0, -1.0, 0.5}>
{
  l1 = Mul(x, w)
  l2 = Relu(l1)
  left = Neg(l2)
  r1 = Add(x, w)
  r2 = Sigmoid(r1)
  r3 = Abs(r2)
  both = Concat<axis = 1>(l2, r3)
}
"""

# Rows whose greatest element is far below 0 are dropped, which takes a fault.
DROPPING = """
<ir_version: 10, opset_import: ["" : 17]>
dropping (float[n, 4] x) => (float[m, 4] y, float[n, 4] z)
<float limit = {-1e30}, float[4] w = {1.0, -2.0, 3.0, 4.0}>
{
  a = Mul(x, w)
  top = ReduceMax<axes = [1], keepdims = 0>(a)
  keep = Greater(top, limit)
  c = Compress<axis = 0>(a, keep)
  d = Relu(c)
  y = Neg(d)
  z = Neg(a)
}
"""

# What is not zero is listed for the whole run, so that samples can't be told apart.
NONZERO = """
<ir_version: 10, opset_import: ["" : 17]>
nonzero (float[n, 4] x) => (float[k, 2] y, float[n, 4] z)
{
  a = Relu(x)
  at = NonZero(a)
  turned = Transpose<perm = [1, 0]>(at)
  y = Cast<to = 1>(turned)
  b = Neg(a)
  z = Tanh(b)
}
"""

SIZE = 7


@dataclass
class Study:
    """A model in a chain that is cut behind all its sites, and what of it has run."""

    late: LateStart
    window: BatchWindow
    fed: list = field(default_factory=list)

    @property
    def chain(self):
        return self.late.chain

    @property
    def golden(self):
        return self.late.clean.of(self.window, {})

    def start(self, faults, positions=()):
        """A scenario with faults in computed tensors."""
        values = {}
        for group in faults.groups:
            site = self.late.sites[group.site]
            columns = window_columns(group, site, self.window)
            elements = int(np.prod(site.layout.run_shape(self.window.size)))
            entry = ValueFaults(site=site, columns=columns, elements=elements)
            values[group.site] = [entry]
        return Start(values=values, positions=positions)

    def common(self, **kept):
        return Common(
            chain=self.chain,
            golden=self.golden,
            window=self.window,
            lifted={},
            tensors=self.late.lifted,
            **kept,
        )

    def whole(self, faults):
        """Outputs of the chain when every part runs with all samples, faults put in by hand."""
        values = {name: self.golden[name] for name in self.chain.readers}
        groups = {group.site: group for group in faults.groups}

        def arrived(name, value):
            if name not in groups:
                return value
            return faulty_array(value, groups[name], self.late.sites[name], self.window)

        values |= {name: arrived(name, v) for name, v in values.items() if name not in self.made}
        for position, part in enumerate(self.chain.parts):
            feeds = {name: values[name] for name in part.reads}
            made = self.chain.run(position, feeds, {})
            values |= {name: arrived(name, value) for name, value in made.items()}
        return {name: values[name] for name in self.chain.outputs}

    @property
    def made(self):
        return set(self.chain.makers)

    def found(self, faults, **kept):
        """Outputs by propagation, and which parts ran with how many rows of each feed."""
        common, start = self.common(**kept), self.start(faults)
        propagate(common, [start])  # sizes of runs are proven before runs are counted
        self.fed.clear()
        found = propagate(common, [start])
        ran = {}
        for position, feeds in self.fed:
            rows = ran.setdefault(position, dict.fromkeys(feeds, 0))
            for name, count in feeds.items():
                rows[name] += count
        return found.outputs(0), ran

    def making(self, name):
        return self.chain.makers[name]


@pytest.fixture
def study_of(model_of, prepare, monkeypatch):
    watchdog = Watchdog()
    rng = np.random.default_rng(5)

    def make(text):
        model = model_of(text)
        (spec,) = model.inputs
        x = rng.uniform(-1, 1, (SIZE, spec.shape[1])).astype(np.float32)
        workload = open_workload(model, {"x": x})
        context = prepare(model, workload, optimization="disabled", batch_size=SIZE).context
        if text is DROPPING:
            context = _believing(context)
        sites = tuple(site for site in context.sites if not site.kind.stored)
        graph = open_stored(context, Opening(computed=sites), watchdog)
        size = context.profile.batch_size
        window = BatchWindow(start=0, stop=size, size=size)
        study = Study(late=LateStart(context, graph, watchdog), window=window)
        real = PartChain.prepared

        def counted(self, position, lifted):
            run = real(self, position, lifted)

            def counting(feeds, hurried):
                study.fed.append((position, {name: len(value) for name, value in feeds.items()}))
                return run(feeds, hurried)

            return counting

        monkeypatch.setattr(PartChain, "prepared", counted)
        return study

    yield make
    watchdog.close()


def _believing(context):
    """A context whose profile has not noticed that a sample's row may be dropped."""
    sites = tuple(
        site
        if site.kind.stored
        else replace(site, layout=SampleLayout(shape=site.layout.shape, batch_axis=0))
        for site in context.sites
    )
    profile = replace(context.profile, rows_independent=True, batch_size=SIZE)
    return replace(context, sites=sites, profile=profile)


def _bits(outputs):
    return {name: (value.shape, value.tobytes()) for name, value in outputs.items()}


def _flips(study, scenario):
    """Scenarios over all sites: everywhere, in one sample, in two sites at once."""
    sites = {name: site for name, site in study.late.sites.items() if not site.kind.stored}
    names, size = list(sites), study.window.size
    last = {name: sites[name].layout.elements - 1 for name in names}
    for number, name in enumerate(names):
        other = names[(number * 5 + 3) % len(names)]
        for bit in (31, 30, 20, 0):
            yield scenario((name, 0, bit), (name, last[name], bit))
            if size > 1:
                yield scenario((name, 0, bit, number % size), (name, last[name], bit, 2))
        yield scenario((name, 0, 30), (other, last[other], 29))
        if size > 1:
            yield scenario((name, 0, 30, 1), (other, last[other], 31, 4))


@pytest.mark.parametrize(
    "text",
    [RESIDUAL, BRANCHES, DROPPING, NONZERO],
    ids=["residual", "branches", "dropping", "nonzero"],
)
def test_it_gives_what_the_whole_chain_gives(study_of, scenario, text):
    study = study_of(text)
    changed = 0
    for faults in _flips(study, scenario):
        try:
            expected = study.whole(faults)
        except FaultError as error:  # two faults, one of which takes the other's place away
            with pytest.raises(FaultError, match=re.escape(str(error))):
                study.found(faults)
            continue
        found, ran = study.found(faults)
        assert _bits(found) == _bits(expected)
        assert len(ran) <= len(study.chain.parts)
        kept, _ = study.found(faults, keep=True)
        assert _bits(kept) == _bits(expected)
        changed += _bits(expected) != _bits(study.whole(scenario()))
    assert changed > 10


@pytest.mark.parametrize(
    "text",
    [RESIDUAL, BRANCHES, DROPPING, NONZERO],
    ids=["residual", "branches", "dropping", "nonzero"],
)
@pytest.mark.parametrize("look", [True, False])
def test_company_changes_nothing(study_of, scenario, text, look):
    """All scenarios at once, in another order, and each alone: the same outputs."""
    study = study_of(text)
    starts, alone = [], []
    for faults in _flips(study, scenario):
        start = study.start(faults)
        try:
            alone.append(_bits(propagate(study.common(), [start]).outputs(0)))
        except FaultError:
            continue
        starts.append(start)
    order = np.random.default_rng(2).permutation(len(starts)).tolist()
    found = propagate(study.common(look=look), [starts[k] for k in order])
    for place, k in enumerate(order):
        assert _bits(found.outputs(place)) == alone[k]


def test_rows_of_many_scenarios_share_runs(study_of, scenario):
    study = study_of(BRANCHES)
    starts = [study.start(scenario(("l1", k % 6, 30))) for k in range(18)]
    propagate(study.common(), starts)
    study.fed.clear()
    propagate(study.common(), starts)
    rows = [feeds["l1"] for position, feeds in study.fed if position == study.making("l2")]
    assert sum(rows) == 18 * SIZE
    assert len(rows) < 18


def test_rows_where_outputs_may_differ(study_of, scenario):
    study = study_of(BRANCHES)
    faults = [scenario(("r1", 0, 22, 2)), scenario(("r3", 1, 30)), scenario()]
    found = propagate(study.common(), [study.start(each) for each in faults])
    rows = found.rows()
    assert rows.scenario.tolist().count(0) == 1
    assert rows.scenario.tolist().count(1) == SIZE
    for place, (k, sample) in enumerate(zip(rows.scenario, rows.sample, strict=True)):
        whole = found.outputs(int(k))
        for name, value in rows.faulty.items():
            assert value[place].tobytes() == whole[name][sample].tobytes()
            assert rows.golden[name][place].tobytes() == study.golden[name][sample].tobytes()


@pytest.mark.parametrize(
    ("site", "makes"),
    [
        ("z", []),
        ("early", []),
        ("y", []),
        ("v", ["y"]),
        ("s", ["d", "t", "u", "v", "y"]),
        ("x", ["early", "a", "b", "c", "s", "d", "t", "u", "v", "y", "z"]),
    ],
)
def test_only_parts_that_a_fault_reaches_are_run(study_of, scenario, site, makes):
    study = study_of(RESIDUAL)
    _, ran = study.found(scenario((site, 0, 30), (site, 1, 30), (site, 2, 30), (site, 3, 30)))
    assert sorted(ran) == sorted({study.making(name) for name in makes})


def test_a_part_in_front_of_a_fault_runs_where_something_else_reaches_it(study_of, scenario):
    study = study_of(BRANCHES)
    _, ran = study.found(scenario(("l1", 5, 30), ("r3", 0, 30)))
    assert set(ran) == {study.making(name) for name in ("l2", "left", "both")}


def test_masked_samples_leave(study_of, scenario):
    """The sign of an element flips; where it is and stays below 0, Relu makes it golden again."""
    study = study_of(RESIDUAL)
    x, column = study.golden["x"], 2
    raised = x[:, column] * 2.0**-60 > 0  # its exponent falls, so that it stays what it is: > 0
    assert 0 < raised.sum() < SIZE
    found, ran = study.found(scenario(("a", column, 29)))
    assert ran[study.making("b")] == {"a": SIZE}
    # A product of one row has other kernels, so that a single row is filled up.
    assert raised.sum() <= ran[study.making("c")]["b"] <= raised.sum() + 1
    # An addition reads two values, in the samples where either deviates.
    assert ran[study.making("d")] == {"s": raised.sum(), "b": raised.sum()}
    assert ran[study.making("z")] == {"a": SIZE, "c": SIZE}
    assert _bits(found) == _bits(study.whole(scenario(("a", column, 29))))


def test_nothing_runs_behind_a_part_that_masks_all(study_of, scenario):
    study = study_of(BRANCHES)
    low = int(study.golden["l1"][:, 0].argmin())
    assert study.golden["l1"][low, 0] < 0
    found, ran = study.found(scenario(("l1", 0, 0, low)))
    assert list(ran) == [study.making("l2")]
    assert _bits(found) == _bits(study.whole(scenario()))
    _, ran = study.found(scenario(("l1", 0, 0, low), ("r1", 0, 22, 3)))
    assert set(ran) == {study.making(name) for name in ("l2", "r2", "r3", "both")}
    assert ran[study.making("both")] == {"l2": 1, "r3": 1}


def test_samples_that_change_a_shape_run_all_together(study_of, scenario):
    """A run of some samples shows that a row is missing; then all samples run at once."""
    study = study_of(DROPPING)
    assert study.chain.separable
    drop = scenario(("keep", 0, 0, 3))
    found, ran = study.found(drop)
    assert found["y"].shape == (SIZE - 1, 4)
    assert _bits(found) == _bits(study.whole(drop))
    assert ran[study.making("c")] == {"a": SIZE + 1, "keep": SIZE + 1}
    # A run in which no shape changes stays with the sample that deviates.
    stay = scenario(("a", 0, 20, 3))
    found, ran = study.found(stay)
    assert all(set(feeds.values()) == {1} for feeds in ran.values())
    assert _bits(found) == _bits(study.whole(stay))


def test_samples_that_can_not_be_told_apart_all_run(study_of, scenario):
    study = study_of(RESIDUAL)
    bound = scenario(("c", 1, 30, 3))
    apart, ran = study.found(bound)
    assert ran[study.making("d")] == {"s": 1, "b": 1}
    study.chain.separable = False
    together, ran = study.found(bound)
    assert ran[study.making("d")] == {"s": SIZE, "b": SIZE}
    assert _bits(together) == _bits(apart) == _bits(study.whole(bound))


def test_parts_that_read_a_changed_tensor_run_whole(study_of):
    """They run with all samples of the window, and what they give decides what follows."""
    study = study_of(RESIDUAL)
    position = study.making("s")
    common = study.common(keep=True)
    study.fed.clear()
    found = propagate(common, [Start(positions=(position,))])
    assert not found.tables
    assert not found.wholes
    assert study.fed == [(position, {"c": SIZE})]


def test_values_that_nothing_reads_any_more_are_forgotten(study_of, scenario):
    study = study_of(RESIDUAL)
    start = study.start(scenario(("a", 2, 30)))
    found = propagate(study.common(), [start])
    assert set(found.tables) <= set(study.chain.outputs)
    kept = propagate(study.common(keep=True), [start])
    assert {"a", "b", "c", "u"} <= set(kept.tables)
