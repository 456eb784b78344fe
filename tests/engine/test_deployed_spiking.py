"""The spiking models as onnxruntime optimises them: still recognised, step by step."""

from __future__ import annotations

from pathlib import Path

import pytest

from onnxfi.engine import EngineSettings, deployed
from onnxfi.faults import enumerate_sites
from onnxfi.graph import load

pytestmark = pytest.mark.cpu

MODELS = Path(__file__).resolve().parents[2] / "models"


@pytest.mark.parametrize("name", ["snn_snntorch_mnist", "snn_spikingjelly_mnist"])
def test_steps_and_parts_outlive_fusion(name):
    graph = deployed(load(MODELS / f"{name}.onnx"), EngineSettings(graph="deployed"))
    sites = enumerate_sites(graph.index, graph.inputs, graph.outputs).sites
    assert {site.step for site in sites} == {None, *range(8)}
    assert {site.part for site in sites} >= {"synapse", "threshold", "decay", "current", "membrane"}
    spikes = [site for site in sites if site.part == "spike" and site.op_type == "Cast"]
    assert sorted(site.step for site in spikes) == sorted([*range(8)] * 2)
    assert len({site.layer for site in spikes}) == 2
