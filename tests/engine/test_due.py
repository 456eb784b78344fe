"""Faults that make a run raise or hang: each sample for itself."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from onnxfi.bits import ElementType
from onnxfi.engine import ENGINES, open_engine, open_workload
from onnxfi.faults import FaultGroup, FaultSite, SampleLayout, Scenario, SiteKind
from onnxfi.outcome import BoundCriterion, Tolerance

LOOKUP = """
<ir_version: 10, opset_import: ["" : 17]>
lookup (int64[batch, 2] ids) => (float[batch, 2] y)
<float[4] table = {1.0, 2.0, 3.0, 4.0}>
{ same = Identity(ids)  y = Gather(table, same) }
"""

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

RESHAPE = """
<ir_version: 10, opset_import: ["" : 17]>
scaled (float[batch, 2] x) => (float[batch, 2] y)
<int64[2] shape = {-1, 2}>
{ y = Reshape(x, shape) }
"""


def _stored(name: str, element: ElementType, shape: tuple[int, ...]) -> FaultSite:
    """A structural tensor, which is no site by default: its faults break runs."""
    return FaultSite(
        name=name,
        kind=SiteKind.WEIGHT,
        element=element,
        node="node",
        op_type="op",
        layer="node",
        layout=SampleLayout(shape=shape, batch_axis=None),
    )


@pytest.fixture(scope="module")
def lookup(model_of, prepare):
    model = model_of(LOOKUP)
    given = {"ids": np.array([[0, 1], [2, 3], [1, 0], [3, 3]]), "labels": np.array([1, 1, 0, 0])}
    workload = open_workload(model, given)
    return prepare(model, workload, batch_size=3)


def test_only_samples_that_raise_alone_are_due(lookup, closing, scenario):
    engine = closing(lookup.engine("ports", "same"))
    counts = engine.run(scenario(("same", 0, 40, 1))).counts  # row 2 + 2^40 does not exist
    assert counts.due_exception == 1
    assert counts.masked == 3
    assert counts.correct == 3
    results = list(engine.results(scenario(("same", 0, 40, 1))))
    # The run of three failed, so its samples ran singly; the last run was not touched.
    assert [(r.window.start, r.window.stop) for r in results] == [(0, 1), (1, 2), (2, 3), (3, 4)]
    assert results[1].faulty is None


def test_labels_that_the_output_does_not_answer(model_of, prepare, closing, scenario):
    text = LOOKUP.replace("[4] table", "[4, 1] table").replace("float[batch, 2]", "float[n, 2, 1]")
    model = model_of(text)
    given = {"ids": np.array([[0, 1], [2, 3], [1, 0]]), "labels": np.array([1, 1, 0])}
    prepared = prepare(model, open_workload(model, given), batch_size=2)
    criterion = BoundCriterion(criterion=Tolerance(0.5), output="y")
    engine = closing(open_engine("ports", replace(prepared.context, criterion=criterion)))
    counts = engine.run(scenario(("same", 0, 40, 1))).counts
    assert (counts.due_exception, counts.masked, counts.correct) == (1, 2, None)


@pytest.mark.parametrize("name", [name for name in ENGINES.names() if name != "lift"])
def test_a_fault_in_every_sample_is_due_in_every_sample(lookup, closing, scenario, name):
    counts = closing(lookup.engine(name, "same")).run(scenario(("same", 0, 40))).counts
    assert counts.due_exception == 4
    assert counts.correct == 0


def test_bound_faults_in_a_fixed_batch(model_of, prepare, closing, scenario):
    model = model_of(LOOKUP.replace("batch", "3"))
    workload = open_workload(model, {"ids": np.array([[0, 1], [2, 3], [1, 0], [3, 3]])})
    prepared = prepare(model, workload, batch_size=3)
    engine = closing(prepared.engine("ports", "same"))
    # Row 2^40 does not exist; the other samples, run again in padded batches, are not to blame.
    counts = engine.run(scenario(("same", 0, 40, 1), ("same", 1, 0, 3))).counts
    assert (counts.due_exception, counts.masked) == (1, 2)
    assert counts.samples == 4


@pytest.mark.parametrize("word", [10, 2**64 - 1], ids=["fails at run", "fails at load"])
@pytest.mark.parametrize("name", ENGINES.names())
def test_a_model_that_no_longer_loads_or_runs(model_of, prepare, closing, name, word):
    model = model_of(RESHAPE)
    workload = open_workload(model, {"x": np.ones((3, 2), np.float32)})
    site = _stored("shape", ElementType.INT64, (2,))
    prepared = prepare(model, workload, extra=(site,), batch_size=3)
    replaced = FaultGroup(
        site="shape",
        index=np.array([1]),
        and_mask=np.zeros(1, np.uint64),
        xor_mask=np.array([word], np.uint64),
    )
    faults = Scenario(number=0, groups=(replaced,))
    assert closing(prepared.engine(name, "shape")).run(faults).counts.due_exception == 3


@pytest.mark.parametrize("name", ENGINES.names())
def test_endless_loops_are_ended(model_of, prepare, closing, scenario, name):
    model = model_of(LOOP)
    workload = open_workload(model, {"x": np.ones((2, 2), np.float32)})
    site = _stored("trips", ElementType.INT64, ())
    prepared = prepare(model, workload, extra=(site,), batch_size=2, timeout_s=0.15)
    engine = closing(prepared.engine(name, "trips"))
    assert engine.run(scenario(("trips", 0, 0))).counts.masked == 2  # two trips instead of three
    assert engine.run(scenario(("trips", 0, 50))).counts.due_timeout == 2
    assert engine.run(scenario(("trips", 0, 0))).counts.masked == 2  # and it goes on working
