"""Classifiers as scikit-learn's converter writes them, and outputs that are no plain tensors."""

from __future__ import annotations

import ml_dtypes
import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, parser

from onnxfi.campaign import (
    InMemory,
    ReplayOptions,
    replay,
    resume_or_create,
    run_campaign,
    summarize,
)
from onnxfi.errors import ConfigError
from onnxfi.settings import CampaignSettings

RNG = np.random.default_rng(5)
X = RNG.normal(size=(12, 4)).astype(np.float32)
W = RNG.normal(size=(4, 3)).astype(np.float32)
NAMES = ("ash", "birch", "oak tree")
BEST = (X @ W).argmax(axis=1)
ML = "ai.onnx.ml"


def _classifier(path, form, words):
    """A linear classifier with one of the three forms of output, as skl2onnx writes them."""
    classes = {"classlabels_strings": list(NAMES)} if words else {"classlabels_ints": [0, 1, 2]}
    label_type = TensorProto.STRING if words else TensorProto.INT64
    key_type = {"classlabels_strings": NAMES} if words else {"classlabels_int64s": [0, 1, 2]}
    nodes = [
        helper.make_node("Scaler", ["X"], ["s"], domain=ML, offset=[0.0], scale=[1.0]),
        helper.make_node(
            "LinearClassifier",
            ["s"],
            ["label", "raw"],
            domain=ML,
            coefficients=W.T.ravel().tolist(),
            intercepts=[0.0, 0.0, 0.0],
            post_transform="SOFTMAX",
            **classes,
        ),
        helper.make_node("Normalizer", ["raw"], ["norm"], domain=ML, norm="L1"),
    ]
    outputs = [helper.make_tensor_value_info("label", label_type, ["N"])]
    if form == "maps":
        nodes.append(helper.make_node("ZipMap", ["norm"], ["p"], domain=ML, **key_type))
        value = helper.make_tensor_type_proto(TensorProto.FLOAT, None)
        kind = onnx.TypeProto()
        kind.sequence_type.elem_type.map_type.key_type = label_type
        kind.sequence_type.elem_type.map_type.value_type.CopyFrom(value)
        outputs.append(helper.make_value_info("p", kind))
    elif form == "tensor":
        outputs.append(helper.make_tensor_value_info("norm", TensorProto.FLOAT, ["N", 3]))
    else:
        for k in range(3):
            index = helper.make_node("Constant", [], [f"k{k}"], value_ints=[k])
            column = helper.make_node(
                "ArrayFeatureExtractor", ["norm", f"k{k}"], [f"i{k}"], domain=ML
            )
            nodes += [index, column]
            outputs.append(helper.make_tensor_value_info(f"i{k}", TensorProto.FLOAT, ["N", 1]))
    given = [helper.make_tensor_value_info("X", TensorProto.FLOAT, ["N", 4])]
    graph = helper.make_graph(nodes, "classifier", given, outputs)
    opsets = [helper.make_opsetid("", 18), helper.make_opsetid(ML, 1)]
    onnx.save(helper.make_model(graph, opset_imports=opsets, ir_version=9), path)
    return str(path)


def _settings(model, inputs, **more):
    chosen = {
        "targets": ("weight", "activation"),
        "sampler": {"kind": "uniform", "n": 25, "seed": 4},
        "optimization": "disabled",
    }
    return CampaignSettings(model=model, inputs=str(inputs), **(chosen | more))


def _inputs(path, labels):
    np.savez(path, X=X, labels=labels)
    return path


@pytest.mark.parametrize("words", [True, False])
@pytest.mark.parametrize("form", ["maps", "tensor", "columns"])
def test_classifiers_work_by_default(tmp_path, rows_of, form, words):
    model = _classifier(tmp_path / "m.onnx", form, words)
    right = BEST.copy()
    right[0] = (right[0] + 1) % 3
    labels = np.array(NAMES)[right] if words else right
    inputs = _inputs(tmp_path / "in.npz", labels)
    rows = {}
    for engine in ("bake", "ports", "cut"):
        campaign = resume_or_create(tmp_path / engine, _settings(model, inputs, engine=engine))
        plan = campaign.plan
        assert (plan.criterion, plan.criterion_output) == ("top1", "label")
        assert plan.criterion_reason == "its value, equal or not"
        assert plan.golden_correct == 11
        run_campaign(campaign)
        rows[engine] = rows_of(campaign)
    assert rows["bake"] == rows["ports"] == rows["cut"]
    summary = summarize(campaign)
    assert summary.golden_accuracy is not None
    with np.load(campaign.folder.golden, allow_pickle=False) as golden:
        assert golden["values"].tolist() == (
            np.array(NAMES)[BEST].tolist() if words else BEST.tolist()
        )
    found = replay(campaign, 3, ReplayOptions(outputs=True))
    assert found.same
    assert found.faulty["label"].shape == (12,)


def test_numbers_for_labels_judge_the_scores_of_a_classifier_with_words(tmp_path):
    model = _classifier(tmp_path / "m.onnx", "tensor", words=True)
    inputs = _inputs(tmp_path / "in.npz", BEST)
    plan = resume_or_create(tmp_path / "c", _settings(model, inputs)).plan
    assert (plan.criterion_output, plan.golden_correct) == ("norm", 12)
    with pytest.raises(
        ConfigError, match="labels are numbers, but output 'label' answers in words"
    ):
        resume_or_create(tmp_path / "d", _settings(model, inputs, criterion_output="label"))
    assert not (tmp_path / "d").exists()


BESIDE = """
<ir_version: 8, opset_import: ["" : 17]>
beside (float[n, 4] x) => (float[n, 2] y, seq(float[n, 2]) parts)
<float[4, 4] w = {1.0, -2.0, 3.0, 4.0, 1.0, 2.0, -3.0, 4.0, 1.0, 2.0, 3.0, 4.0, 1.0, 2.0, 3.0,
 -4.0},
 int64[2] sizes = {2, 2}, int64 first = {0}>
{
  h = MatMul(x, w)
  parts = SplitToSequence<axis = 1>(h, sizes)
  y = SequenceAt(parts, first)
}
"""


def test_a_sequence_beside_a_tensor_is_compared(tmp_path, rows_of):
    onnx.save(parser.parse_model(BESIDE), tmp_path / "m.onnx")
    np.savez(tmp_path / "in.npz", x=X)
    rows = {}
    for engine in ("auto", "bake", "ports", "cut", "lift"):
        settings = _settings(
            str(tmp_path / "m.onnx"), tmp_path / "in.npz", engine=engine, targets=("weight",)
        )
        campaign = resume_or_create(tmp_path / engine, settings)
        assert campaign.plan.criterion_output == "y"
        assert campaign.plan.outputs["parts"].batch_axis == 1
        run_campaign(campaign)
        rows[engine] = rows_of(campaign)
    assert all(found == rows["bake"] for found in rows.values())
    # A weight of the last two columns reaches the second element of the sequence alone.
    seen = [
        replay(campaign, row["scenario"], ReplayOptions(outputs=True))
        for row in rows["bake"]
        if row["tolerable"] == 12
    ]
    assert any(np.array_equal(found.golden["y"], found.faulty["y"]) for found in seen)
    for found in seen:
        assert not np.array_equal(found.golden["parts"], found.faulty["parts"])


SPELLED = """
<ir_version: 9, opset_import: ["" : 19, "ai.onnx.ml" : 2]>
spelled (string[n] word, float8e4m3fn[n, 2] x) => (string[n] answer, float[n, 2] y)
{
  number = ai.onnx.ml.LabelEncoder
    <keys_strings = ["a", "b"], values_floats = [1.0, 2.0], default_float = 0.0>(word)
  f = Cast<to = 1>(x)
  y = Neg(f)
  answer = ai.onnx.ml.LabelEncoder
    <keys_floats = [1.0, 2.0], values_strings = ["one", "two"], default_string = "none">(number)
}
"""


def test_words_and_float8_given_in_memory(tmp_path, rows_of):
    arrays = {
        "word": np.array(["a", "b", "c", "a"], object),
        "x": np.arange(8).reshape(4, 2).astype(ml_dtypes.float8_e4m3fn),
        "labels": ["one", "two", "none", "none"],
    }
    rows = {}
    for engine in ("auto", "cut"):
        campaign = resume_or_create(
            tmp_path / engine,
            _settings("", "", targets=("activation",), engine=engine),
            objects=InMemory(model=parser.parse_model(SPELLED), inputs=arrays),
        )
        assert (campaign.plan.criterion_output, campaign.plan.golden_correct) == ("answer", 3)
        run_campaign(campaign)
        rows[engine] = rows_of(campaign)
    # A flip in the number of a word gives the word for no known number, which one has anyway.
    assert any(row["critical"] == 3 for row in rows["auto"])
    assert rows["auto"] == rows["cut"]
