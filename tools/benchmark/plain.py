"""Plain onnxruntime: what every ratio is over."""

from __future__ import annotations

from typing import Any

import onnxruntime


def plain_session(model: str | bytes) -> Any:
    """A session at the default optimisation level with one thread, not made by onnxfi.

    Args:
        model: Path of an .onnx file, or its bytes.
    """
    runtime: Any = onnxruntime
    options = runtime.SessionOptions()
    options.intra_op_num_threads = 1
    options.inter_op_num_threads = 1
    options.log_severity_level = 3
    return runtime.InferenceSession(model, options, providers=["CPUExecutionProvider"])
