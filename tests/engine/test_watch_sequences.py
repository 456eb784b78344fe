"""Monitors and traces of models that keep state: the values of all steps."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from onnxfi.engine import (
    EngineContext,
    EngineSettings,
    golden_run,
    open_engine,
    open_workload,
    profile,
    trace,
)
from onnxfi.faults import enumerate_sites, find_site
from onnxfi.outcome import choose_criterion
from onnxfi.workload import stream_of

LEAKY = """
<ir_version: 10, opset_import: ["" : 17]>
leaky (float[batch, 3] x, float[batch, 3] h) => (float[batch, 3] y, float[batch, 3] hn)
<float[3] decay = {0.5, 0.25, 0.75}>
{
  scaled = Mul(h, decay)
  hn = Add(scaled, x)
  y = Neg(hn)
}
"""
SAMPLES, STEPS = 5, 4


@pytest.fixture
def context(model_of):
    model = model_of(LEAKY)
    stream = stream_of(("hn=h",), model.inputs, model.outputs)
    x = np.random.default_rng(1).normal(size=(SAMPLES, STEPS, 3)).astype(np.float32)
    workload = open_workload(model, {"x": x}, stream=stream)
    asked = EngineSettings(stream=stream, batch_size=2)
    found = profile(model, workload, asked)
    table = enumerate_sites(
        model.index, model.inputs, model.outputs, found.layouts, found.left_out, ("h",)
    )
    golden = golden_run(model, workload, found, asked)
    return EngineContext(
        model=model,
        workload=workload,
        profile=found,
        settings=asked,
        sites=table.sites,
        criterion=choose_criterion(golden.outputs[0], found.outputs, states=("hn",)),
    )


@pytest.mark.parametrize("engine", ["bake", "ports"])
def test_statistics_of_all_steps(context, closing, scenario, engine):
    watched = replace(context, monitors=("scaled", "y"))
    opened = closing(open_engine(engine, watched))
    found = opened.run(scenario(("scaled", 0, 31))).monitors
    assert found["scaled"].elements == SAMPLES * STEPS * 3
    # One element in every step of every sample; in the first steps it is zero, whose sign flips.
    assert found["scaled"].changed_share >= 1 / 3
    outputs = np.concatenate([r.faulty["y"] for r in opened.results(scenario())], axis=1)
    assert opened.run(scenario()).monitors["y"].sum == pytest.approx(outputs.sum(), rel=1e-5)


def test_a_trace_of_one_step(context, scenario):
    site = find_site("scaled@2", {each.name: each for each in context.sites})
    sites = replace(context, sites=(*context.sites, site))
    found = {v.name: v.divergence for v in trace(sites, scenario(("scaled@2", 1, 30))).values}
    assert all(each.elements == SAMPLES * STEPS * 3 for each in (found["scaled"], found["y"]))
    assert all(each.samples == SAMPLES for each in found.values())
    assert found["scaled"].changed == SAMPLES * 2  # in step 2, and through the state in step 3
