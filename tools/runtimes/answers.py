"""The runtimes: each takes a serialized model and pictures, and gives scores."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, cast

import numpy as np
from numpy.typing import NDArray

#: (serialized model, pictures) -> scores, one row a picture.
Runtime = Callable[[bytes, NDArray[np.float32]], NDArray[Any]]
INPUT = "image"
QUANTIZE_OPSET = 19


class RefusedError(Exception):
    """A runtime that can't run a model; the text says why, in one line."""


def onnxruntime(model: bytes, pictures: NDArray[np.float32], *, fused: bool = True) -> NDArray[Any]:
    """The runtime that campaigns run on: CPU, one thread, all optimisations or none."""
    import onnxruntime as ort

    options = ort.SessionOptions()
    level = ort.GraphOptimizationLevel
    options.graph_optimization_level = level.ORT_ENABLE_ALL if fused else level.ORT_DISABLE_ALL
    options.intra_op_num_threads = 1
    options.log_severity_level = 4
    session = ort.InferenceSession(model, options, providers=["CPUExecutionProvider"])
    return cast("NDArray[Any]", session.run(None, {INPUT: pictures})[0])


def reference(model: bytes, pictures: NDArray[np.float32]) -> NDArray[Any]:
    """`onnx.reference`: the operators of the ONNX standard, in numpy, written to be read.

    It has QuantizeLinear and DequantizeLinear from opset 19 on only: older files are raised.
    """
    import onnx
    from onnx.reference import ReferenceEvaluator

    try:
        loaded = onnx.load_model_from_string(model)
        quantized = any(node.op_type == "DequantizeLinear" for node in loaded.graph.node)
        opset = next(item.version for item in loaded.opset_import if not item.domain)
        if quantized and opset < QUANTIZE_OPSET:
            loaded = onnx.version_converter.convert_version(loaded, QUANTIZE_OPSET)
        with np.errstate(all="ignore"):
            evaluator = ReferenceEvaluator(loaded)
            return cast("NDArray[Any]", evaluator.run(None, {INPUT: pictures})[0])
    except Exception as error:  # whatever an operator that is not there raises
        raise RefusedError(_first_line(error)) from error


def openvino(model: bytes, pictures: NDArray[np.float32]) -> NDArray[Any]:
    """OpenVINO's CPU device in float32: its default on some processors is a shorter float."""
    import openvino as ov

    settings = {"INFERENCE_PRECISION_HINT": "f32", "INFERENCE_NUM_THREADS": "1"}
    try:
        core = ov.Core()
        compiled = core.compile_model(core.read_model(model), "CPU", settings)
        return cast("NDArray[Any]", compiled([pictures])[0])
    except RuntimeError as error:
        raise RefusedError(_first_line(error)) from error


RUNTIMES: dict[str, Runtime] = {"reference": reference, "openvino": openvino}


def _first_line(error: Exception) -> str:
    """The line that tells why; OpenVINO's come after addresses in its source."""
    lines = [line.strip(" -") for line in str(error).splitlines() if line.strip()]
    missing = [line for line in lines if line.startswith("No conversion rule")]
    said = [line for line in lines if not line.startswith(("Exception from", "Check '"))]
    return (missing or said or lines or [type(error).__name__])[0][:160]
