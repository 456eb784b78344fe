"""Constants that onnxruntime takes into a fused operator, and overlooks where they are inputs."""

from __future__ import annotations

import numpy as np
import pytest

from onnxfi.engine import open_workload
from onnxfi.engine.executable import Deployed, FedSites, optimized
from onnxfi.graph import lift_initializers, operators

NORM = """
<ir_version: 10, opset_import: ["" : 17]>
norm (float[batch, 8] x) => (float[batch, 8] y)
<float two = {2}, float tiny = {0.25}, float[8] scale = {1, 2, 3, 4, 5, 6, 7, 8},
 float[8] shift = {0, 1, 0, 1, 0, 1, 0, 1}>
{
  mean = ReduceMean<axes = [-1]>(x)
  centred = Sub(x, mean)
  squared = Pow(centred, two)
  variance = ReduceMean<axes = [-1]>(squared)
  sum = Add(variance, tiny)
  deviation = Sqrt(sum)
  normal = Div(centred, deviation)
  scaled = Mul(normal, scale)
  y = Add(scaled, shift)
}
"""
STORED = ("two", "tiny", "scale", "shift")


@pytest.fixture(scope="module")
def norm(model_of, prepare):
    model = model_of(NORM)
    x = np.random.default_rng(8).normal(size=(6, 8)).astype(np.float32)
    return prepare(model, open_workload(model, {"x": x}), optimization="all")


def test_what_is_taken_into_the_fused_operator_is_found(norm):
    model, settings = norm.context.model, norm.context.settings
    assert "LayerNormalization" in operators(optimized(model, settings))
    fused = optimized(lift_initializers(model, ["tiny"]), settings)
    assert "LayerNormalization" in operators(fused), "with an epsilon of onnxruntime's own"
    fed = FedSites(norm.context, Deployed(norm.context))
    for name in STORED:
        settled = fed.settle([norm.sites[name]])
        lost = [site.name for site in settled.lost]
        assert lost == ([name] if name in ("two", "tiny") else [])
        assert len(settled.kept) + len(settled.lost) == 1
    together = fed.settle([norm.sites[name] for name in STORED])
    assert {site.name for site in together.lost} == {"two", "tiny"}


@pytest.mark.parametrize("name", ["ports", "cut"])
def test_faults_in_it_are_baked(norm, scenario, closing, name):
    """Ten bits of each: what the runtime makes of the faulty file is what counts."""
    faults = [scenario((site, 0, bit)) for site in STORED for bit in range(22, 32)]
    faults.append(scenario(("tiny", 0, 30), ("scale", 3, 30)))
    engine, bake = (closing(norm.engine(each, *STORED)) for each in (name, "bake"))
    found = [each.counts for each in engine.run_many(faults)]
    expected = [each.counts for each in bake.run_many(faults)]
    baked = [n for n, fault in enumerate(faults) if {"two", "tiny"} & set(fault.sites)]
    assert [found[n] for n in baked] == [expected[n] for n in baked]
    for one, other in zip(found, expected, strict=True):
        assert (one.due, one.critical) == (other.due, other.critical)
    assert sum(found[n].masked < 6 for n in baked) >= 10


def test_nothing_is_overlooked_without_optimisation(norm, prepare):
    prepared = prepare(norm.context.model, norm.context.workload, optimization="disabled")
    sites = [prepared.sites[name] for name in STORED]
    assert FedSites(prepared.context, Deployed(prepared.context)).settle(sites).kept == tuple(sites)
