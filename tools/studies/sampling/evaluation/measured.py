"""All gradients of a model file, once torch is found to answer as onnxruntime does."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

import onnxfi as fi
from evaluation.autograd import (
    conductance,
    flip_sensitivity,
    loss_sensitivity,
    output_sensitivity,
)
from evaluation.gradients import Gradients
from evaluation.torchgraph import Network
from onnxfi.engine import EngineSettings, Session
from onnxfi.errors import UnsupportedModelError
from onnxfi.graph import Model, load

BATCH = 32
"""Images that ISimDL's scripts look at: one batch."""

_CLOSE = 0.05
"""Of the spread of the outputs: half floats and steps of integer codes stay below it."""


def measure(path: Path, inputs: Path, last: int, kinds: Sequence[str]) -> tuple[Gradients, float]:
    """Gradients of a model, and how far torch is from onnxruntime.

    Args:
        path: The model; one input, logits as first output.
        inputs: Workload with labels.
        last: How many of its samples to look at, from the end.
        kinds: ``weight``, ``activation``.

    Raises:
        UnsupportedModelError: An operator is not known, or torch answers otherwise.
    """
    model, network = load(path), Network(path)
    with np.load(inputs, allow_pickle=False) as data:
        images, labels = data[model.inputs[0].name][-last:], data["labels"][-last:]
    differs = _difference(model, network, images)
    few, named = images[:BATCH], labels[:BATCH]
    found = {}
    if "weight" in kinds:
        sites = fi.enumerate_sites(path, targets=["weight"])
        found["output"] = output_sensitivity(network, sites, few)
        found["loss"], found["loss_size"] = loss_sensitivity(network, sites, images, labels)
    if "activation" in kinds:
        sites = fi.enumerate_sites(path, inputs=inputs, targets=["activation"])
        network = Network(path)
        found["conductance"] = conductance(network, sites, few, named)
        found["taylor"] = flip_sensitivity(network, sites, images, labels)
    return Gradients(model_sha256=model.sha256, **found), differs


def _difference(model: Model, network: Network, images: NDArray[np.float32]) -> float:
    """The largest difference of the outputs; refused where it is more than rounding."""
    session = Session(model, EngineSettings(optimization="disabled"))
    golden = session.run({model.inputs[0].name: images}, [network.output])[network.output]
    found = network.answer(images)
    differs = float(np.abs(found - golden).max())
    agree = float((found.argmax(axis=1) == golden.argmax(axis=1)).mean())
    if not differs <= _CLOSE * float(np.ptp(golden)):
        raise UnsupportedModelError(
            f"{model.source}: torch differs from onnxruntime by {differs:.3g}"
            f" ({agree:.0%} of decisions agree): an operator means something else here"
        )
    return differs
