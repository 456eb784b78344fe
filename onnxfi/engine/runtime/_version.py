"""The version of onnxruntime in use: kernels differ between versions, so results may."""

from __future__ import annotations

from onnxfi.engine.runtime._runtime import ort


def runtime_version() -> str:
    """Version of the onnxruntime that runs models, such as ``1.31.1``."""
    return str(ort.__version__)
