"""onnxruntime, without its type annotations: they leave out most of what it exports."""

from __future__ import annotations

from typing import Any, TypeAlias

import onnxruntime

ort: Any = onnxruntime
RunOptions: TypeAlias = Any
SessionOptions: TypeAlias = Any
InferenceSession: TypeAlias = Any
NodeArg: TypeAlias = Any
OrtValue: TypeAlias = Any
IOBinding: TypeAlias = Any
