"""Streaming models and gates from Python."""

from __future__ import annotations

import numpy as np
import onnx
import pytest
from onnx import numpy_helper, parser

import onnxfi as fi
from onnxfi.faults import FaultSpace

TEXT = """
<ir_version: 10, opset_import: ["" : 17]>
m (float[1, batch, 2] x, float[1, batch, 3] h) => (float[1, 1, batch, 3] y, float[1, batch, 3] hn)
{ y, hn = GRU<hidden_size = 3>(x, w, r, , , h) }
"""


@pytest.fixture
def model() -> onnx.ModelProto:
    proto = parser.parse_model(TEXT)
    rng = np.random.default_rng(0)
    for name, shape in (("w", (1, 9, 2)), ("r", (1, 9, 3))):
        values = rng.normal(size=shape).astype(np.float32)
        proto.graph.initializer.append(numpy_helper.from_array(values, name))
    return proto


@pytest.fixture
def sequences() -> dict[str, np.ndarray]:
    """Four sequences of six steps; the batch is on axis 1, so a step of a sample is (1, 2)."""
    return {"x": np.random.default_rng(1).normal(size=(4, 6, 1, 2)).astype(np.float32)}


def test_a_campaign_over_sequences_and_by_gate(tmp_path, model, sequences):
    def largest(golden, faulty, labels):
        assert golden.shape[:2] == (len(golden), 6)
        return np.abs(faulty - golden).reshape(len(golden), -1).max(axis=1) > 0.5

    campaign = fi.Campaign.create(
        tmp_path / "c",
        model=model,
        inputs=sequences,
        state={"hn": "h"},
        gates=["z", "h"],
        sampler=fi.UniformSampler(n=30, seed=1),
        criterion=largest,
        criterion_output="y",
    )
    assert campaign.run().done_now == 30
    assert all(row["samples"] == 4 for row in campaign.rows())


def test_sites_and_baked_models(model, sequences):
    found = fi.enumerate_sites(model, inputs=sequences, state={"hn": "h"})
    kinds = {site.name: site.kind for site in found}
    assert kinds["h"] == "state"
    gates = fi.enumerate_sites(model, gates=["r"])
    assert [site.name for site in gates] == ["w[gate=r]", "r[gate=r]"]
    groups = [
        FaultSpace([site], [fi.BitFlip(bits=31)]).scenario_groups(np.zeros(1, np.int64))
        for site in (gates[1], found[0])
    ]
    baked = onnx.load_from_string(fi.bake(model, fi.Scenario(number=0, groups=sum(groups, ()))))
    before, after = (
        {t.name: numpy_helper.to_array(t) for t in each.graph.initializer}
        for each in (model, baked)
    )
    # The first element of gate r is in row 3 of z, r, h with three rows each.
    assert np.argwhere(after["r"] != before["r"]).tolist() == [[0, 3, 0]]
    assert np.argwhere(after["w"] != before["w"]).tolist() == [[0, 0, 0]]
