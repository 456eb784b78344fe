"""Turns a trained torch network into an ONNX model with the zoo's input and output names."""

from __future__ import annotations

import io
import warnings
from collections.abc import Sequence

import onnx
import torch
from torch import nn

from zoo.tidy import tidied

OPSET = 17
INPUT, OUTPUT, BATCH = "image", "logits", "batch"


def exported(network: nn.Module, picture: Sequence[int] = (1, 28, 28)) -> onnx.ModelProto:
    """Export with a free batch axis, through torch's tracing exporter.

    It names nodes after module paths (`/stage1/conv1/Conv`; step t of an unrolled network gets the
    suffix `_t`), where the newer exporter writes `node_conv2d_3` and stack traces. A BatchNorm that
    the network still has stays a node of its own.

    Args:
        network: What to export; it is put into evaluation mode.
        picture: Channels, height and width of one input.
    """
    network.eval()
    buffer = io.BytesIO()
    with warnings.catch_warnings(), torch.no_grad():
        # The exporter announces its own deprecation and that state was traced: both intended.
        warnings.simplefilter("ignore")
        torch.onnx.export(
            network,
            (torch.rand(2, *picture),),
            buffer,
            dynamo=False,
            # In any other mode the exporter folds BatchNorm and renames what it folded it into.
            training=torch.onnx.TrainingMode.PRESERVE,
            opset_version=OPSET,
            input_names=[INPUT],
            output_names=[OUTPUT],
            dynamic_axes={INPUT: {0: BATCH}, OUTPUT: {0: BATCH}},
        )
    return tidied(onnx.load_model_from_string(buffer.getvalue()))
