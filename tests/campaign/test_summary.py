"""Summaries: figures against a census of a real site, and what they rest on."""

from __future__ import annotations

import numpy as np
import onnx
import pytest

from onnxfi.analysis import bounded_mean, failure_rate
from onnxfi.campaign import run_campaign, summarize
from onnxfi.outcome import scenario_failed
from onnxfi.settings import RunOptions


@pytest.fixture(scope="module")
def census(tmp_path_factory, request):
    """Every single flip in the output layer's bias: 10 words of 32 bits."""
    from pathlib import Path

    from onnxfi.campaign import resume_or_create
    from onnxfi.settings import CampaignSettings

    images = request.getfixturevalue("images")
    settings = CampaignSettings(
        model=str(Path("models/lenet5_mnist_int8_qdq.onnx").absolute()),
        inputs=str(images),
        targets=("bias",),
        include=("fc3*",),
        sampler={"kind": "exhaustive"},
    )
    campaign = resume_or_create(tmp_path_factory.mktemp("census") / "c", settings)
    run_campaign(campaign)
    return campaign


def test_a_census_has_no_interval(census):
    summary = summarize(census)
    assert summary.complete
    assert summary.used == summary.total == summary.space_size == 320
    rate = summary.rates["failure"]
    assert rate.low == rate.value == rate.high
    assert rate.method == "census"
    records = census.records()
    golden = census.plan.golden_correct
    failed = [scenario_failed(r.counts, golden, census.settings.drop) for r in records]
    assert rate.value == np.mean(failed)
    assert 0 < rate.value < 1
    assert summary.rates["accuracy"].value == pytest.approx(
        np.mean([r.counts.correct / r.counts.samples for r in records])
    )


def test_tables_split_the_census_by_bit(census):
    table = summarize(census).tables["bit"]
    assert [row.n for row in table.rows] == [10] * 32
    assert sum(row.failures for row in table.rows) == round(
        summarize(census).rates["failure"].value * 320
    )
    by_bit = {row.key: row.rate.value for row in table.rows}
    assert by_bit["0"] == 0.0, "the lowest bit of a 32-bit bias changes no answer"
    assert max(by_bit.values()) > 0.5


def test_intervals_from_samples_cover_the_census(census):
    records = census.records()
    golden, drop = census.plan.golden_correct, census.settings.drop
    failed = np.array([scenario_failed(r.counts, golden, drop) for r in records])
    shares = np.array([r.counts.failed_share for r in records])
    rng = np.random.default_rng(5)
    rounds, n = 400, 80
    hits = {"failure": 0, "share": 0}
    for _ in range(rounds):
        drawn = rng.choice(320, n, replace=False)
        rate = failure_rate(int(failed[drawn].sum()), n, population=320)
        share = bounded_mean(shares[drawn], population=320)
        hits["failure"] += rate.low <= failed.mean() <= rate.high
        hits["share"] += share.low <= shares.mean() <= share.high
    assert hits["failure"] / rounds >= 0.93
    assert hits["share"] / rounds >= 0.95


def test_unfinished_blocks_are_not_used_and_it_says_so(create):
    campaign = create()
    run_campaign(campaign, RunOptions(max_injections=30))
    summary = summarize(campaign)
    assert (summary.done, summary.used, summary.complete) == (30, 20, False)
    assert summary.rates["failure"].n == 20
    assert any("10 stored injections are not used" in note for note in summary.notes)
    # Times tell how long the rest will take, so they come from all that is stored.
    assert summary.run_s == pytest.approx(np.mean([r.run_s for r in campaign.records()]))


def test_nothing_run_gives_no_rates(create):
    summary = summarize(create())
    assert summary.rates == {}
    assert summary.run_s is None


def test_labels_that_no_answer_can_be_compared_with_are_mentioned(create, tmp_path):
    model = onnx.parser.parse_model(
        '<ir_version: 8, opset_import: ["": 17]> g (float[N,1,28,28] image) => (float[N,1] ink)'
        "<float[784,1] W> { flat = Flatten(image) ink = MatMul(flat, W) }"
    )
    model.graph.initializer.append(onnx.numpy_helper.from_array(np.ones((784, 1), "f"), "W"))
    onnx.save(model, tmp_path / "ink.onnx")
    unused = summarize(create("ink", model=str(tmp_path / "ink.onnx"), criterion="tolerance:0.5"))
    assert unused.golden_accuracy is None
    assert any("labels are not used" in note for note in unused.notes)
    assert not summarize(create("digits", criterion="tolerance:0.5")).notes


def test_samples_that_run_alone_anyway_are_not_said_to_influence_each_other(create, tmp_path):
    text = (
        '<ir_version: 8, opset_import: ["": 17]> g (float[ROWS,1,28,28] image) => (float[ROWS,4] y)'
    )
    text += "<float[784,4] W, int64[1] whole = {784}, int64[1] first = {0}>"
    text += "{ flat = Flatten(image) SUM y = MatMul(SOURCE, W) }"
    mixing = "mean = ReduceMean<axes = [0]>(flat) mixed = Sub(flat, mean)"
    # With more than one sample this would be one longer row.
    single = "long = Reshape(flat, whole) row = Unsqueeze(long, first)"
    said = {}
    for name, rows, nodes, source in (
        ("plain", "1", single, "row"),
        ("mixing", "N", mixing, "mixed"),
    ):
        named = text.replace("ROWS", rows).replace("SUM", nodes).replace("SOURCE", source)
        model = onnx.parser.parse_model(named)
        weights = np.random.default_rng(0).normal(size=(784, 4)).astype(np.float32)
        model.graph.initializer.append(onnx.numpy_helper.from_array(weights, "W"))
        onnx.save(model, tmp_path / f"{name}.onnx")
        chosen = {"model": str(tmp_path / f"{name}.onnx"), "inputs": "random:3:0"}
        chosen["batch_axes"] = ("image=0",)
        campaign = create(name, **chosen)
        said[name] = [n for n in summarize(campaign).notes if n.startswith("each sample runs")]
        assert campaign.plan.batch_size == 1
    assert said["plain"] == []
    (note,) = said["mixing"]
    assert note == "each sample runs alone: replacing one sample changes output 'y' of others"
