"""The committed models are what their cards say: facts, accuracy, cleanliness, graph properties."""

from __future__ import annotations

import hashlib
import json
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import onnxruntime as ort
import pytest
from google.protobuf.message import Message

MODELS = Path(__file__).resolve().parents[2] / "models"
CARDS: dict[str, Any] = json.loads((MODELS / "cards.json").read_text(encoding="utf-8"))
NAMES = sorted(CARDS["models"])
SNNS = [name for name in NAMES if name.startswith("snn_")]
LOOPED = [name for name in SNNS if name.endswith("_loop.onnx")]
TOLERANCE = 2
"""Samples by which an accuracy may differ from its card.

Kernels differ between instruction sets (AVX2, AVX-512, VNNI, NEON) in the order of their sums,
which turns a near tie. On one machine the counts are exact.
"""
MAX_TOTAL_BYTES = 5_000_000
MAX_LOSS = 0.005
MAX_LOSS_OF_INT4 = 0.015
"""Sixteen values a weight, rounded without any training after it."""
PRUNED = {50: 0.005, 90: 0.02}
"""Loss that pruning a percentage of the weights may cost."""


def _load(name: str) -> onnx.ModelProto:
    return onnx.load_model(MODELS / name)


def _options() -> ort.SessionOptions:
    options = ort.SessionOptions()
    options.intra_op_num_threads = 1
    options.log_severity_level = 3
    return options


def _session(name: str, options: ort.SessionOptions | None = None) -> ort.InferenceSession:
    return ort.InferenceSession(
        MODELS / name, options or _options(), providers=["CPUExecutionProvider"]
    )


def _optimized_operators(name: str, folder: Path) -> Counter[str]:
    options = _options()
    options.optimized_model_filepath = str(folder / "optimized.onnx")
    _session(name, options)
    graph = onnx.load_model(options.optimized_model_filepath).graph
    return Counter(node.op_type for node in graph.node)


def _messages(message: Message) -> Iterator[Message]:
    """A protobuf message and everything inside it, tensors' raw data aside."""
    yield message
    for field, value in message.ListFields():
        if field.type == field.TYPE_MESSAGE:
            for item in [value] if isinstance(value, Message) else value:
                yield from _messages(item)


@pytest.fixture(scope="module")
def data() -> dict[str, tuple[np.ndarray, np.ndarray]]:
    loaded = {}
    for name in CARDS["data"]:
        with np.load(MODELS / name) as arrays:
            loaded[name] = arrays["image"], arrays["labels"]
    return loaded


def test_every_file_has_a_card():
    files = {path.name for path in MODELS.iterdir()} - {"cards.json", "README.md"}
    assert files == set(CARDS["models"]) | set(CARDS["data"])


def test_the_folder_stays_small():
    assert sum(path.stat().st_size for path in MODELS.iterdir()) < MAX_TOTAL_BYTES


@pytest.mark.parametrize("name", NAMES)
def test_accuracy_is_what_the_card_says(name, data):
    card = CARDS["models"][name]
    image, labels = data[card["data"]]
    session = _session(name)
    starts = range(0, len(labels), CARDS["batch"])
    batches = (image[start : start + CARDS["batch"]] for start in starts)
    logits = np.concatenate([session.run(["logits"], {"image": batch})[0] for batch in batches])
    correct = int((logits.argmax(axis=1) == labels).sum())
    assert abs(correct - card["correct"]) <= TOLERANCE
    assert card["accuracy"] == card["correct"] / card["samples"] == card["correct"] / len(labels)


def test_no_variant_loses_more_than_it_may():
    for name, card in CARDS["models"].items():
        if card["variant"] not in ("fp32", "loop") and not card["variant"].startswith("pruned"):
            base = CARDS["models"][name.replace(card["variant"], "fp32")]
            allowed = MAX_LOSS_OF_INT4 if card["variant"] == "int4" else MAX_LOSS
            assert card["accuracy"] >= base["accuracy"] - allowed, name


@pytest.mark.parametrize(
    ("name", "least"),
    [
        ("lenet5_mnist_fp32.onnx", 0.985),
        ("resnet8_fashion_fp32.onnx", 0.90),
        ("snn_snntorch_mnist.onnx", 0.93),
        ("snn_spikingjelly_mnist.onnx", 0.93),
    ],
)
def test_the_networks_are_well_trained(name, least):
    assert CARDS["models"][name]["accuracy"] >= least


@pytest.mark.parametrize("name", [*NAMES, *CARDS["data"]])
def test_digest_and_size_are_what_the_card_says(name):
    card = {**CARDS["models"], **CARDS["data"]}[name]
    content = (MODELS / name).read_bytes()
    assert (hashlib.sha256(content).hexdigest(), len(content)) == (card["sha256"], card["bytes"])
    assert f"{card['sha256']}  {name}" in (MODELS / "README.md").read_text(encoding="utf-8")


@pytest.mark.parametrize("name", NAMES)
def test_graph_facts_are_what_the_card_says(name):
    card, model = CARDS["models"][name], _load(name)
    assert card["ir_version"] == model.ir_version
    assert card["opset"] == {item.domain or "ai.onnx": item.version for item in model.opset_import}
    assert card["nodes"] == len(model.graph.node)
    assert card["operators"] == Counter(node.op_type for node in model.graph.node)


@pytest.mark.parametrize("name", NAMES)
def test_the_file_passes_the_checker(name):
    # Shape inference, which the full check runs, knows no sparse weights.
    onnx.checker.check_model(_load(name), full_check="sparse" not in name)


@pytest.mark.parametrize("name", NAMES)
def test_nodes_are_sorted_and_named_once(name):
    graph = _load(name).graph
    known = {""} | {item.name for item in (*graph.input, *graph.initializer)}
    known |= {item.values.name for item in graph.sparse_initializer}
    for node in graph.node:
        assert known.issuperset(node.input), node.name
        known.update(node.output)
    names = [node.name for node in graph.node]
    assert all(names)
    assert len(set(names)) == len(names)


@pytest.mark.parametrize("name", NAMES)
def test_nothing_tells_where_the_file_was_made(name):
    for message in _messages(_load(name)):
        assert not getattr(message, "metadata_props", ())
        assert not getattr(message, "doc_string", "")
    content = (MODELS / name).read_bytes()
    for trace in (b"/home/", b"/root/", b"/tmp/", b"/work/", b"site-packages", b".py"):
        assert trace not in content


@pytest.mark.parametrize("name", NAMES)
def test_one_picture_input_and_one_logits_output_with_a_free_batch_axis(name):
    session = _session(name)
    inputs, outputs = session.get_inputs(), session.get_outputs()
    assert [(i.name, i.type, i.shape) for i in inputs] == [
        ("image", "tensor(float)", ["batch", 1, 28, 28])
    ]
    assert [(o.name, o.type, o.shape) for o in outputs] == [
        ("logits", "tensor(float)", ["batch", 10])
    ]
    for batch in (1, 3):
        feed = {"image": np.zeros((batch, 1, 28, 28), np.float32)}
        assert session.run(None, feed)[0].shape == (batch, 10)


@pytest.mark.parametrize("name", [name for name in NAMES if "int8_qdq" in name])
def test_every_convolution_of_the_qdq_files_runs_in_integers(name, tmp_path):
    stored = CARDS["models"][name]["operators"]["Conv"]
    operators = _optimized_operators(name, tmp_path)
    assert operators["QLinearConv"] == stored
    assert operators["Conv"] == 0


@pytest.mark.parametrize("name", [name for name in NAMES if "int8_dynamic" in name])
def test_every_convolution_of_the_dynamic_files_runs_in_integers(name, tmp_path):
    stored = CARDS["models"][name.replace("int8_dynamic", "fp32")]["operators"]["Conv"]
    operators = _optimized_operators(name, tmp_path)
    assert operators["ConvInteger"] == stored
    assert operators["Conv"] == 0


def _weights(name: str) -> dict[str, np.ndarray]:
    """The weights of a file by name, dense, whatever form they are stored in."""
    graph = _load(name).graph
    found = {item.name: onnx.numpy_helper.to_array(item) for item in graph.initializer}
    for item in graph.sparse_initializer:
        dense = np.zeros(item.dims, np.float32)
        indices = onnx.numpy_helper.to_array(item.indices)
        dense.ravel()[indices] = onnx.numpy_helper.to_array(item.values)
        found[item.values.name] = dense
    return found


@pytest.mark.parametrize("network", ["lenet5_mnist", "resnet8_fashion"])
@pytest.mark.parametrize("percent", PRUNED)
def test_the_pruned_files_are_pruned_and_still_good(network, percent):
    name = f"{network}_pruned{percent}.onnx"
    weights, dense = _weights(name), _weights(f"{network}_fp32.onnx")
    assert {key: value.shape for key, value in weights.items()} == {
        key: value.shape for key, value in dense.items()
    }
    filters = [value for key, value in weights.items() if key.endswith(".weight")]
    zeros = sum(int((value == 0).sum()) for value in filters)
    assert zeros == round(percent / 100 * sum(value.size for value in filters))
    card = CARDS["models"][name]
    assert card["zeros"] == sum(int((value == 0).sum()) for value in weights.values())
    golden = CARDS["models"][f"{network}_fp32.onnx"]["accuracy"]
    assert card["accuracy"] >= golden - PRUNED[percent]


@pytest.mark.parametrize("name", [name for name in NAMES if "sparse" in name])
def test_the_sparse_files_hold_the_same_weights_in_less_room(name, data):
    plain = name.replace("_sparse", "")
    assert CARDS["models"][name]["bytes"] < CARDS["models"][plain]["bytes"] / 2
    assert len(_load(name).graph.sparse_initializer) >= 4
    weights = _weights(plain)
    for key, value in _weights(name).items():
        assert value.tobytes() == weights[key].tobytes(), key
    image, _ = data[CARDS["models"][name]["data"]]
    answers = [_session(each).run(None, {"image": image[:20]})[0] for each in (name, plain)]
    assert answers[0].tobytes() == answers[1].tobytes()


@pytest.mark.parametrize("name", LOOPED)
def test_looped_networks_answer_as_the_unrolled_ones_with_the_same_weights(name, data):
    unrolled = name.replace("_loop", "")
    weights, theirs = _weights(name), _weights(unrolled)
    shared = [key for key in weights if key in theirs]
    assert len(shared) == 10
    for key in shared:
        assert weights[key].tobytes() == theirs[key].tobytes(), key
    assert CARDS["models"][name]["operators"]["Loop"] == 1
    image, _ = data[CARDS["models"][name]["data"]]
    answers = [_session(each).run(None, {"image": image[:100]})[0] for each in (name, unrolled)]
    assert answers[0].tobytes() == answers[1].tobytes()


@pytest.mark.parametrize("name", [name for name in SNNS if name not in LOOPED])
def test_spiking_weights_are_single_initializers_used_in_every_step(name):
    graph = _load(name).graph
    uses = Counter(value for node in graph.node for value in node.input)
    weights = [item.name for item in graph.initializer if item.name.endswith((".weight", ".bias"))]
    layers = ("conv1", "conv2", "readout")
    assert set(weights) == {f"{layer}.{kind}" for layer in layers for kind in ("weight", "bias")}
    assert {uses[name] for name in weights} == {8}


@pytest.mark.parametrize("name", sorted(CARDS["data"]))
def test_data_can_be_fed_as_they_are(name, data):
    image, labels = data[name]
    assert (image.dtype, image.shape) == (np.float32, (1000, 1, 28, 28))
    assert (labels.dtype, labels.shape) == (np.int64, (1000,))
    assert (image.min(), image.max()) == (0, 1)
    assert set(labels) == set(range(10))
