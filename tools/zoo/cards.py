"""Measures the finished files and writes `cards.json`: the facts that README and tests go by."""

from __future__ import annotations

import hashlib
import json
import platform
import re
from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import onnxruntime as ort

from zoo.data import Dataset
from zoo.networks import NETWORKS, network_of

CARDS = "cards.json"
BATCH = 100
"""Measuring batch; dynamically quantised models answer a little differently at another one."""

_PARAMETER = re.compile(r"\.(weight|bias)(_quantized)?$")
_VARIANTS = {
    "fp32": "float32",
    "bn_fp32": "float32, BatchNorm not folded",
    "fp16": "float16 inside, float32 input and output",
    "bf16": "weights and biases stored in bfloat16; float32 arithmetic",
    "int4": (
        "weights stored in packed 4-bit integers, a float32 scale for each output channel;"
        " float32 biases and arithmetic"
    ),
    "int8_qdq": (
        "static 8 bit, QDQ form: weights int8 per channel, activations uint8,"
        " 320 training images for calibration"
    ),
    "int8_qoperator": "the same ranges and weights in QOperator form (QLinearConv, QGemm)",
    "int8_dynamic": (
        "dynamic 8 bit: weights uint8 per tensor, activation ranges found at run time"
        " (ConvInteger, MatMulInteger)"
    ),
    "loop": "float32, the weights of the unrolled file; the time steps are in a Loop",
    "pruned50": "float32, 50 % of all weights pruned by magnitude while trained on",
    "pruned90": "float32, 90 % of all weights pruned by magnitude while trained on",
    "pruned90_sparse": (
        "the same weights; the tensors that get smaller by it are sparse initializers"
        " (values and int64 indices)"
    ),
}


def write_cards(folder: Path) -> dict[str, Any]:
    """Measure every model and data file in `folder` and write the cards beside them."""
    cards = {
        "batch": BATCH,
        "onnxruntime": ort.__version__,
        "processor": _processor(),
        "models": {path.name: _model_card(path) for path in sorted(folder.glob("*.onnx"))},
        "data": {path.name: _data_card(path) for path in sorted(folder.glob("*.npz"))},
    }
    text = json.dumps(cards, indent=2) + "\n"
    (folder / CARDS).write_text(text, encoding="utf-8")
    return cards


def _model_card(path: Path) -> dict[str, Any]:
    model = onnx.load_model(path)
    network = network_of(path.stem)
    variant = path.stem[len(network) + 1 :] or "fp32"
    data = path.with_name(NETWORKS[network].dataset.test_file)
    correct, samples = count_correct(path, data)
    print(f"[{path.name}] {correct} of {samples} right", flush=True)
    return {
        "network": NETWORKS[network].title,
        "variant": variant,
        "made": _VARIANTS[variant],
        "sha256": _digest(path),
        "bytes": path.stat().st_size,
        "opset": {item.domain or "ai.onnx": item.version for item in model.opset_import},
        "ir_version": model.ir_version,
        "parameters": _parameter_count(model),
        **_zeros(model, variant),
        "nodes": len(model.graph.node),
        "operators": dict(sorted(Counter(node.op_type for node in model.graph.node).items())),
        "data": data.name,
        "samples": samples,
        "correct": correct,
        "accuracy": correct / samples,
    }


def _data_card(path: Path) -> dict[str, Any]:
    datasets = (network.dataset for network in NETWORKS.values())
    dataset = next(each for each in datasets if each.test_file == path.name)
    with np.load(path) as arrays:
        shapes = {name: [str(arrays[name].dtype), *arrays[name].shape] for name in arrays.files}
    return {
        "what": f"{_part(dataset)} test images of {dataset.title}",
        "sha256": _digest(path),
        "bytes": path.stat().st_size,
        "arrays": shapes,
        "source": dataset.source,
        "licence": dataset.licence,
    }


def _part(dataset: Dataset) -> str:
    return f"first {dataset.test_images:,}" if dataset.test_images else "all"


def count_correct(model: Path, data: Path) -> tuple[int, int]:
    """How many samples of the file the model classifies right, by onnxruntime, and of how many."""
    options = ort.SessionOptions()
    options.intra_op_num_threads = 1
    options.log_severity_level = 3
    session = ort.InferenceSession(model, options, providers=["CPUExecutionProvider"])
    with np.load(data) as arrays:
        image, labels = arrays["image"], arrays["labels"]
    hits = 0
    for start in range(0, len(labels), BATCH):
        rows = slice(start, start + BATCH)
        logits = session.run(["logits"], {"image": image[rows]})[0]
        hits += int((logits.argmax(axis=1) == labels[rows]).sum())
    return hits, len(labels)


def _processor() -> str:
    """Architecture and the instruction sets that pick onnxruntime's kernels, no model name."""
    info = Path("/proc/cpuinfo")
    words = set(info.read_text(encoding="utf-8").split()) if info.exists() else set()
    kinds = ("avx2", "avx512f", "avx512_vnni", "avx_vnni", "amx_int8", "asimddp", "i8mm")
    return " ".join([platform.machine(), *(kind for kind in kinds if kind in words)])


def _parameter_count(model: onnx.ModelProto) -> int:
    """Elements of weights and biases, in whatever type; scales and zero points don't count."""
    tensors = (item for item in model.graph.initializer if _PARAMETER.search(item.name))
    sparse = model.graph.sparse_initializer
    return sum(int(np.prod(item.dims)) for item in (*tensors, *sparse))


def _zeros(model: onnx.ModelProto, variant: str) -> dict[str, int]:
    """Zeros among weights and biases of a pruned file, stored or left out; nothing for others."""
    if not variant.startswith("pruned"):
        return {}
    tensors = (item for item in model.graph.initializer if _PARAMETER.search(item.name))
    values = (item.values for item in model.graph.sparse_initializer)
    arrays = (onnx.numpy_helper.to_array(item) for item in (*tensors, *values))
    present = sum(int(np.count_nonzero(array)) for array in arrays)
    return {"zeros": _parameter_count(model) - present}


def _digest(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()
