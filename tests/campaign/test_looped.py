"""One spiking network in two forms, unrolled and in a Loop: the same fault, the same counts."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from onnxfi.campaign import run_campaign, summarize

MODELS = Path(__file__).resolve().parents[2] / "models"
STEPS = 8
COUNTS = ("masked", "tolerable", "critical", "due_nonfinite", "correct")
EVERY = "every step"

#: Tensors by their names in the Loop's body and, in step 0 and later, in the unrolled graph.
TENSORS = {
    "conv1/current": ("/conv1/Conv_output_0", "/conv1_{}/Conv_output_0"),
    "lif1/membrane": ("/lif1/Sub_1_output_0", "/lif1_{}/Sub_output_0"),
    "lif1/spike": ("/lif1/Cast_1_output_0", "/lif1_{}/Cast_1_output_0"),
    "lif2/spike": ("/lif2/Cast_1_output_0", "/lif2_{}/Cast_1_output_0"),
}


def entry(site, index, effect):
    return {"site": site, "index": [index], **effect}


def both(tensor, index, step, **effect):
    """One fault as the entries of a list, for the Loop and for the unrolled graph."""
    first, later = TENSORS[tensor]
    steps = range(STEPS) if step is EVERY else [step]
    looped = f"time/body/{tensor}" + ("" if step is EVERY else f"@{step}")
    unrolled = [first if each == 0 else later.format(each) for each in steps]
    return [entry(looped, index, effect)], [entry(name, index, effect) for name in unrolled]


def weight(site, index, **effect):
    return [entry(site, index, effect)], [entry(site, index, effect)]


SCENARIOS = [
    weight("conv1.weight", 17, flip=30),
    weight("conv2.weight", 4001, flip=30),
    weight("conv2.weight", 4001, flip=22),
    weight("conv2.bias", 3, flip=31),
    weight("readout.weight", 77, flip=29),
    weight("lif2.threshold", 0, flip=23),  # lif1.threshold also scales spikes where it is unrolled
    weight("lif2.beta", 0, flip=24),
    both("conv1/current", 1234, 0, flip=29),
    both("lif1/membrane", 100, 2, flip=30),
    both("lif1/membrane", 700, 7, flip=27),
    both("lif1/spike", 640, 3, set=1),
    both("lif2/spike", 200, 0, set=1),
    both("lif1/spike", 640, EVERY, set=1),
    both("lif2/spike", 200, EVERY, set=1),
    both("lif2/spike", 33, EVERY, set=0),
]


@pytest.fixture
def few(images, tmp_path):
    path = tmp_path / "few.npz"
    with np.load(images) as data:
        np.savez(path, image=data["image"][:40], labels=data["labels"][:40])
    return str(path)


def test_the_same_faults_have_the_same_counts(create, rows_of, few, tmp_path):
    rows = {}
    for form, model in enumerate(("snn_snntorch_mnist_loop", "snn_snntorch_mnist")):
        path = tmp_path / f"{model}.jsonl"
        lines = [{"scenario": k, "faults": both[form]} for k, both in enumerate(SCENARIOS)]
        path.write_text("\n".join(map(json.dumps, [{"schema": "onnxfi/faults/1"}, *lines])) + "\n")
        campaign = create(
            model,
            model=str(MODELS / f"{model}.onnx"),
            inputs=few,
            sampler={},
            faults=str(path),
            optimization="disabled",
        )
        run_campaign(campaign)
        rows[model] = [[row[name] for name in COUNTS] for row in rows_of(campaign)]
    looped, unrolled = rows.values()
    assert looped == unrolled
    harmless = [40, 0, 0, 0]
    assert sum(row[:4] != harmless for row in looped) > 10


def test_campaigns_by_part_and_step_in_a_loop(create, few):
    campaign = create(
        "loop",
        model=str(MODELS / "snn_snntorch_mnist_loop.onnx"),
        inputs=few,
        targets=("activation", "state"),
        parts=("spike", "membrane"),
        steps=(1, 6),
        sampler={"kind": "uniform", "n": 16, "seed": 2},
    )
    run_campaign(campaign)
    tables = summarize(campaign).tables
    assert [row.key for row in tables["step"].rows] == ["1", "6"]
    assert {row.key for row in tables["part"].rows} == {"spike", "membrane"}
    assert {row.key for row in tables["layer"].rows} <= {"time/body/lif1", "time/body/lif2"}
