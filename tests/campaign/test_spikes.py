"""Spike counts of each layer, held against numpy's count of what the faulty model computes."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnx
import onnxruntime as ort
import pytest

import onnxfi as fi
from onnxfi.campaign import GoldenFile, open_campaign, run_campaign, summarize
from onnxfi.errors import ConfigError
from onnxfi.faults import spike_values
from onnxfi.settings import RunOptions

MODEL = Path(__file__).resolve().parents[2] / "models" / "snn_snntorch_mnist.onnx"
SAMPLES = 6


@pytest.fixture
def few(images, tmp_path):
    path = tmp_path / "few.npz"
    with np.load(images) as data:
        np.savez(path, image=data["image"][:SAMPLES], labels=data["labels"][:SAMPLES])
    return str(path)


@pytest.fixture
def counted(create, few):
    campaign = create(
        "counted",
        model=str(MODEL),
        inputs=few,
        targets=("activation", "weight"),
        parts=("membrane", "synapse"),
        over_steps=True,
        fault_models=("set:2", "flip:bits=exponent"),
        optimization="disabled",
        sampler={"kind": "uniform", "n": 8, "seed": 5},
        spikes=True,
    )
    run_campaign(campaign)
    return campaign


def spikes_of(model: onnx.ModelProto, layers: dict[str, tuple[str, ...]], image) -> dict[str, int]:
    """Spikes by layer, counted in what the model computes."""
    watched = onnx.ModelProto()
    watched.CopyFrom(model)
    values = [value for names in layers.values() for value in names]
    watched.graph.output.extend(onnx.ValueInfoProto(name=value) for value in values)
    options = ort.SessionOptions()
    options.graph_optimization_level = ort.GraphOptimizationLevel.ORT_DISABLE_ALL
    session = ort.InferenceSession(watched.SerializeToString(), options)
    found = dict(zip(values, session.run(values, {"image": image}), strict=True))
    return {
        layer: sum(int(found[value].sum()) for value in names) for layer, names in layers.items()
    }


def test_counts_are_those_of_the_faulty_model(counted, rows_of, few):
    layers = spike_values(fi.enumerate_sites(MODEL))
    assert {layer: len(values) for layer, values in layers.items()} == {"/lif1": 8, "/lif2": 8}
    with np.load(few) as data:
        image = data["image"]
    golden = spikes_of(onnx.load(MODEL), layers, image)
    kept = GoldenFile.read(counted.folder.golden).monitors
    assert {k: sum(kept[v].sum for v in values) for k, values in layers.items()} == golden
    source = counted.experiment().source
    changes = set()
    for row in rows_of(counted):
        scenario = source.scenario(row["scenario"])
        faulty = spikes_of(
            onnx.load_from_string(fi.bake(MODEL, scenario, inputs=few)), layers, image
        )
        seen = row["metrics"]["spikes"]
        assert {layer: seen[layer]["count"] for layer in layers} == faulty
        assert {layer: seen[layer]["change"] for layer in layers} == {
            layer: faulty[layer] - golden[layer] for layer in layers
        }
        changes.update(seen[layer]["change"] for layer in layers)
    assert len(changes) > 5


def test_the_summary_says_how_spikes_changed(counted, rows_of):
    rows = rows_of(counted)
    for spikes in summarize(counted).spikes:
        changes = [row["metrics"]["spikes"][spikes.layer]["change"] for row in rows]
        assert spikes.injections == len(rows)
        assert spikes.change == pytest.approx(np.mean(changes))
        assert (spikes.least, spikes.most) == (min(changes), max(changes))
        assert spikes.changed == np.mean([change != 0 for change in changes])
        assert spikes.golden > 1000


def test_counting_goes_on_where_it_stopped(create, rows_of, few):
    chosen = {
        "model": str(MODEL),
        "inputs": few,
        "targets": ("bias",),
        "sampler": {"kind": "uniform", "n": 6, "seed": 1},
        "block_size": 3,
        "spikes": True,
    }
    whole, cut = create("a", **chosen), create("b", **chosen)
    run_campaign(whole)
    run_campaign(cut, RunOptions(max_injections=3))
    again = open_campaign(cut.folder.path)
    run_campaign(again)
    assert rows_of(again) == rows_of(whole)


@pytest.mark.parametrize(
    ("model", "why"),
    [
        ("lenet5_mnist_fp32.onnx", "it has no spiking neurons"),
        ("snn_snntorch_mnist_loop.onnx", "its steps are iterations of a loop"),
    ],
)
def test_networks_without_steps_to_count_in_are_refused(create, few, model, why):
    with pytest.raises(ConfigError, match=why):
        create("c", model=str(MODEL.with_name(model)), inputs=few, spikes=True)
