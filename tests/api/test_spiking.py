"""Steps, parts and stuck neurons from Python."""

from __future__ import annotations

from pathlib import Path

import numpy as np

import onnxfi as fi

MODELS = Path(__file__).resolve().parents[2] / "models"


def test_sites_of_a_spiking_network():
    model = MODELS / "snn_snntorch_mnist.onnx"
    spikes = fi.enumerate_sites(model, parts=["spike"], op_types=["Cast"])
    assert len(spikes) == 16
    tied = fi.enumerate_sites(model, parts=["spike"], op_types=["Cast"], over_steps=True)
    assert [site.name for site in tied] == [
        "/lif1/Cast_1_output_0@0-7",
        "/lif2/Cast_1_output_0@0-7",
    ]
    later = fi.enumerate_sites(model, parts=["membrane"], steps=[6, 7], targets=["activation"])
    assert {site.step for site in later} == {6, 7}


def test_a_campaign_on_stuck_neurons(tmp_path):
    with np.load(MODELS / "mnist_test1000.npz") as data:
        inputs = {"image": data["image"][:8], "labels": data["labels"][:8]}
    campaign = fi.Campaign.create(
        tmp_path / "stuck",
        model=MODELS / "snn_snntorch_mnist.onnx",
        inputs=inputs,
        targets=["activation"],
        parts=["spike"],
        op_types=["Cast"],
        over_steps=True,
        spikes=True,
        fault_model=fi.SetValue(0),
        sampler=fi.UniformSampler(n=4, seed=1),
    )
    campaign.run()
    summary = campaign.summary()
    assert summary.used == 4
    assert [row.layer for row in summary.spikes] == ["/lif1", "/lif2"]
    assert all((row.change or 0) <= 0 for row in summary.spikes[:1]), "dead neurons only take"
