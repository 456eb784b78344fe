"""What methods may look at, read from a model file."""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import helper, numpy_helper

from evaluation.baselines import Subject
from evaluation.gradients import Gradients
from onnxfi.faults import FaultSpace
from onnxfi.graph import initializer_words, load


def subject(path: Path, space: FaultSpace, gradients: Path | None = None) -> Subject:
    """A subject.

    Args:
        path: The model.
        space: Single bit flips of it, all bits.
        gradients: A file of ``eval_gradients.py``; None to leave gradient methods out.

    Raises:
        ConfigError: The gradients are of another model.
    """
    model = load(path)
    stored = [site.name for site in space.sites if site.kind.stored]
    known = None if gradients is None else Gradients.read(gradients, model.sha256)
    steps = code_steps(path)
    return Subject(
        space=space,
        words={name: initializer_words(model, name) for name in stored},
        steps={name: steps[name] for name in stored if name in steps},
        gradients=known,
    )


def code_steps(path: Path) -> dict[str, NDArray[np.float64]]:
    """What a code is worth, of each element of the tensors that DequantizeLinear reads.

    Those that are quantized in blocks are left out.
    """
    graph = onnx.load(path).graph
    stored = {tensor.name: tensor for tensor in graph.initializer}
    found = {}
    for node in graph.node:
        if node.op_type != "DequantizeLinear" or not stored.keys() >= set(node.input[:2]):
            continue
        attributes = {each.name: helper.get_attribute_value(each) for each in node.attribute}
        shape = tuple(stored[node.input[0]].dims)
        scale = numpy_helper.to_array(stored[node.input[1]]).astype(np.float64)
        if scale.size == 1:
            found[node.input[0]] = np.full(math.prod(shape), scale.item())
        elif scale.ndim == 1:
            axis = attributes.get("axis", 1) % len(shape)
            after = math.prod(shape[axis + 1 :])
            before = math.prod(shape[:axis])
            found[node.input[0]] = np.tile(np.repeat(scale, after), before)
    return found
