"""Traces: every value of a graph beside its golden one, in little memory."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from onnxfi.engine import open_engine, open_workload, trace
from onnxfi.graph import load
from onnxfi.inject import faulty_array


def _by_name(found):
    return {value.name: value.divergence for value in found.values}


@pytest.mark.parametrize(
    ("site", "behind"), [("w1", 8), ("r1", 7), ("t2", 4), ("scores", 1), ("image", 8)]
)
def test_it_starts_where_the_fault_is(prepared, scenario, site, behind):
    found = trace(prepared.context, scenario((site, 1, 30)))
    names = [value.name for value in found.values]
    assert names == ["c1", "r1", "p1", "t1", "t2", "t3", "f1", "scores"]
    assert found.first.name == names[-behind]
    reached = [value.divergence.changed > 0 for value in found.values]
    assert reached == sorted(reached)
    assert (found.samples, found.silent) == (11, 0)
    assert found.optimization == "disabled"


def test_figures_are_those_of_the_arrays(prepared, closing, scenario):
    faults = scenario(("t2", 3, 22))
    found = _by_name(trace(prepared.context, faults))
    (group,) = faults.groups
    watched = replace(prepared.context, sites=(prepared.sites["t2"],), monitors=("t2",))
    engine = closing(open_engine("bake", watched))
    error = size = 0.0
    for result in engine.results(faults):
        golden, faulty = result.golden["t2"], result.faulty["t2"]
        expected = faulty_array(golden, group, prepared.sites["t2"], result.window)
        np.testing.assert_array_equal(expected, faulty)
        error += np.square(faulty.astype(float) - golden).sum()
        size += np.square(golden.astype(float)).sum()
    assert found["t2"].relative_error == pytest.approx(np.sqrt(error / size))
    assert found["t2"].samples == 11
    assert found["t2"].changed == 11


def test_little_memory_changes_no_figure(prepared, scenario, bounds):
    faults = scenario(("w1", 1, 27), ("r1", 5, 22))
    whole = trace(prepared.context, faults)
    told: list[tuple[int, int]] = []
    for held in (1, 3_000, 20_000):
        bounds(trace_bytes=held)
        part = trace(prepared.context, faults, lambda *how_far: told.append(how_far))
        assert told[-1][0] == told[-1][1] >= 11
        assert [value.name for value in part.values] == [value.name for value in whole.values]
        for name, found in _by_name(part).items():
            expected = _by_name(whole)[name]
            assert (found.changed, found.samples) == (expected.changed, expected.samples)
            assert found.relative_error == pytest.approx(expected.relative_error, rel=1e-6)


def test_a_fault_in_one_sample(prepared, scenario):
    found = trace(prepared.context, scenario(("r1", 5, 30, 7)))
    assert found.engine == "ports"
    assert all(value.divergence.samples <= 1 for value in found.values)
    assert found.first.name == "r1"


GATHERS = """
<ir_version: 10, opset_import: ["" : 18]>
g (int64[n, 2] x) => (float[n, 2] y)
<float[3] table = {1, 2, 3}>
{ h = Add(x, x)  z = Sub(h, x)  y = Gather(table, z) }
"""


def test_samples_without_outputs_are_told(prepare, model_of, scenario):
    model = model_of(GATHERS)
    values = np.array([[0, 1], [1, 2], [2, 0]])
    prepared = prepare(model, open_workload(model, {"x": values}))
    found = trace(prepared.context, scenario(("z", 0, 40, 1)))
    assert (found.samples, found.silent) == (2, 1)
    everywhere = trace(prepared.context, scenario(("z", 0, 40)))
    assert (everywhere.samples, everywhere.silent) == (0, 3)
    assert everywhere.first is None


def test_real_integer_model(models, prepare, scenario):
    model = load(models / "resnet8_fashion_int8_qdq.onnx")
    workload = open_workload(model, models / "fashion_test1000.npz").take(5)
    prepared = prepare(model, workload, output="logits")
    site = next(site.name for site in prepared.context.sites if site.kind.value == "weight")
    found = trace(prepared.context, scenario((site, 3, 7)))
    assert len(found.values) == len(model.index.nodes)
    assert found.first is not None
