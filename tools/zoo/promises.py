"""Holds finished files to what is promised of them: accuracy, and 8 bits where 8 bits are meant."""

from __future__ import annotations

import tempfile
from collections import Counter
from pathlib import Path
from typing import Any

import onnx
import onnxruntime as ort

from zoo.errors import ZooError
from zoo.networks import NETWORKS, network_of


def check_promises(folder: Path, cards: dict[str, Any]) -> None:
    """Check each model of the cards, which lies in the folder.

    Raises:
        ZooError: A model is less accurate than its network must be (pruned ones aside), or a
            convolution of a static 8-bit one doesn't run in integers.
    """
    broken = []
    for name, card in cards["models"].items():
        least = NETWORKS[network_of(Path(name).stem)].least
        if card["accuracy"] < least and not card["variant"].startswith("pruned"):
            broken.append(
                f"{name} has an accuracy of {card['accuracy']:.1%}, less than {least:.1%}"
            )
        if card["variant"] == "int8_qdq":
            stored, integer = card["operators"].get("Conv", 0), _integer_convolutions(folder / name)
            if stored != integer:
                broken.append(f"{name} has {stored} convolutions, {integer} of them in integers")
    if broken:
        raise ZooError("; ".join(broken))


def _integer_convolutions(path: Path) -> int:
    """How many convolutions onnxruntime runs as QLinearConv, optimised as by default."""
    options = ort.SessionOptions()
    options.log_severity_level = 3
    with tempfile.TemporaryDirectory() as folder:
        options.optimized_model_filepath = str(Path(folder) / "optimized.onnx")
        ort.InferenceSession(path, options, providers=["CPUExecutionProvider"])
        graph = onnx.load_model(options.optimized_model_filepath).graph
    return Counter(node.op_type for node in graph.node)["QLinearConv"]
