"""Site policy on the real models of the project."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from onnxfi.bits import ElementType
from onnxfi.faults import enumerate_sites
from onnxfi.graph import load

MODELS = Path(__file__).parents[2] / "models"


@pytest.mark.parametrize("path", sorted(MODELS.glob("*.onnx")), ids=lambda path: path.stem)
def test_real_models_lose_nothing_in_silence(path):
    model = load(path)
    found = enumerate_sites(model.index, model.inputs, model.outputs)
    names = [site.name for site in found.sites] + [left.name for left in found.left_out]
    assert len(names) == len(set(names))
    expected = {spec.name for spec in model.inputs} | set(model.index.stored)
    for node in model.index.nodes:
        expected.update(filter(None, node.outputs))
    for body in model.index.bodies.values():
        expected.update(body.inputs)
    assert set(names) == expected
    stored = [site for site in found.sites if site.kind.stored]
    assert sum(site.layout.elements for site in stored if site.kind == "weight") > 1000
    bits = sum(left.bits for left in found.left_out)
    assert bits < 5000, "only shapes and the like are left out of these files"
    for site in stored:
        assert site.layout.shape == model.index.stored[site.name].shape
        assert np.prod(site.layout.shape, dtype=int) > 0


def test_int8_weights_of_the_qdq_model_belong_to_their_layers():
    path = MODELS / "resnet8_fashion_int8_qdq.onnx"
    model = load(path)
    sites = enumerate_sites(model.index, model.inputs, model.outputs).sites
    weights = [site for site in sites if site.kind == "weight"]
    biases = [site for site in sites if site.kind == "bias"]
    assert {site.element for site in weights} == {ElementType.INT8}
    assert {site.element for site in biases} == {ElementType.INT32}
    assert {site.op_type for site in weights} == {"Conv", "Gemm"}
    assert len(weights) == len(biases) == len({site.layer for site in weights})
