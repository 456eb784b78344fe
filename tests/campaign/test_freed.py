"""A batch that is fixed in the file: freed where no bit changes, kept, with a reason, elsewhere."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from onnx import parser

from onnxfi.campaign import OpenCampaign, export_rows, open_campaign, resume_or_create, run_campaign
from onnxfi.settings import CampaignSettings

# Reshapes whose targets hold the batch, alone and times something, and one of a stored tensor.
TEXT = """
<ir_version: 10, opset_import: ["" : 17]>
g (float[BATCH,3,4] x) => (float[BATCH,5] y)
<float[4,6] w = {WEIGHTS}, float[12,5] v = {VALUES}, int64[2] rows = {ROWS, 4},
 int64[3] apart = {BATCH, 3, 6}, int64[3] pairs = {BATCH, -1, 2}, int64[2] flat = {BATCH, 18},
 int64[2] plain = {4, 6}, float[6,4] u = {WEIGHTS}, int64[2] start = {0, 0},
 int64[2] stop = {1000000, 12}>
{
  a = Reshape(x, rows)
  turned = Reshape(u, plain)
  sum = Add(w, turned)
  b = MatMul(a, sum)
  c = Reshape(b, apart)
  d = Relu(c)
  e = Reshape(d, pairs)
  f = Reshape(e, flat)
  h = Slice(f, start, stop)
  y = MatMul(h, v)
}
"""

# The batch is in an initial state that is stored.
HELD = """
<ir_version: 10, opset_import: ["" : 17]>
g (float[BATCH,4] x) => (float[BATCH,4] y)
<float[BATCH,4] first = {FIRST}>
{ a = Add(x, first)  y = Relu(a) }
"""

# A batch normalisation over the batch itself: a row depends on its company.
MIXED = """
<ir_version: 10, opset_import: ["" : 17]>
g (float[BATCH,4] x) => (float[BATCH,4] y)
{ m = ReduceMean<axes = [0], keepdims = 1>(x)  y = Sub(x, m) }
"""


def _numbers(count: int, seed: int) -> str:
    rng = np.random.default_rng(seed)
    return ", ".join(f"{number:.4f}" for number in rng.standard_normal(count))


def _model(folder: Path, text: str, batch: int | None) -> Path:
    size = 1 if batch is None else batch
    filled = (
        text.replace("WEIGHTS", _numbers(24, 1))
        .replace("VALUES", _numbers(60, 2))
        .replace("FIRST", ", ".join(["0.5, -1.0, 2.0, 0.25"] * size))
        .replace("ROWS", str(3 * size))
    )
    model = parser.parse_model(filled.replace("BATCH", str(size)))
    if batch is None:
        targets = {"rows": [-1, 4], "apart": [-1, 3, 6], "pairs": [0, -1, 2], "flat": [-1, 18]}
        for tensor in model.graph.initializer:
            if tensor.name in targets:
                tensor.CopyFrom(
                    onnx.numpy_helper.from_array(np.array(targets[tensor.name]), tensor.name)
                )
        for value in (*model.graph.input, *model.graph.output):
            value.type.tensor_type.shape.dim[0].dim_param = "n"
    path = folder / f"batch{batch}.onnx"
    onnx.save(model, path)
    return path


@pytest.fixture
def campaign_of(tmp_path: Path) -> Any:
    def make(text: str, batch: int | None, shape: tuple[int, ...], **given: Any) -> OpenCampaign:
        x = np.random.default_rng(4).standard_normal(shape).astype(np.float32)
        np.savez(tmp_path / "x.npz", x=x)
        settings: dict[str, Any] = {
            "model": str(_model(tmp_path, text, batch)),
            "inputs": str(tmp_path / "x.npz"),
            "sampler": {"kind": "uniform", "n": 120, "seed": 3},
            "targets": ("weight", "activation"),
            "criterion": "tolerance:0.01",
            "engine": "cut",
        }
        return resume_or_create(tmp_path / f"c{batch}", CampaignSettings(**(settings | given)))

    return make


def _rows(campaign: OpenCampaign) -> list[dict[str, Any]]:
    left_out = {"run_s", "worker", "finished_at"}
    return [{k: v for k, v in row.items() if k not in left_out} for row in export_rows(campaign)]


@pytest.mark.parametrize("batch", [1, 3, 4, 8])
def test_rows_are_those_of_a_model_without_a_fixed_batch(campaign_of: Any, batch: int) -> None:
    fixed, symbolic = campaign_of(TEXT, batch, (7, 3, 4)), campaign_of(TEXT, None, (7, 3, 4))
    assert fixed.plan.freed_batch == batch
    assert (fixed.plan.fixed_batch, symbolic.plan.freed_batch) == (None, None)
    assert f"the file's batch of {batch} is freed" in fixed.plan.batch_reason
    assert fixed.plan.batch_size == symbolic.plan.batch_size
    for campaign in (fixed, symbolic):
        run_campaign(campaign)
    assert _rows(fixed) == _rows(symbolic)


def test_golden_is_that_of_the_file(campaign_of: Any, tmp_path: Path) -> None:
    import onnxruntime

    campaign = campaign_of(TEXT, 8, (8, 3, 4))
    session = onnxruntime.InferenceSession(tmp_path / "batch8.onnx")
    with np.load(tmp_path / "x.npz") as data, np.load(campaign.folder.golden) as golden:
        (plain,) = session.run(None, {"x": data["x"]})
        assert golden["values"].tobytes() == plain.tobytes()


def test_it_is_opened_again_as_it_was(campaign_of: Any) -> None:
    campaign = campaign_of(TEXT, 4, (7, 3, 4))
    run_campaign(campaign)
    again = open_campaign(campaign.folder.path)
    assert again.plan.freed_batch == 4
    again.check_surroundings()
    assert list(again.experiment().sites) == list(campaign.experiment().sites)
    assert again.experiment().subject.model.inputs[0].shape[0] == "onnxfi_batch"


@pytest.mark.parametrize(
    ("text", "reason"),
    [(HELD, "depends on how many"), (MIXED, "")],
    ids=["held", "mixed"],
)
def test_a_batch_that_has_to_stay_stays(campaign_of: Any, text: str, reason: str) -> None:
    campaign = campaign_of(text, 4, (6, 4), targets=("activation",), samples_are_runs=False)
    assert campaign.plan.freed_batch is None
    assert campaign.plan.fixed_batch == 4
    assert "it can't be freed" in campaign.plan.batch_reason
    assert reason in campaign.plan.batch_reason
    document = json.loads(campaign.folder.document.read_text())
    assert "freed_batch" not in document["identity_parts"]["plan"]
