"""What onnxruntime raises: whether it is its own, what it says, and whether the device failed."""

from __future__ import annotations

import re

# In the middle of what onnxruntime says: source files, C++ types, the name of the host.
_DEVICE_FAILURE = re.compile(r"CUDA failure \d+: [^;]*[^; ]")


def from_onnxruntime(error: Exception) -> bool:
    """Whether an exception is the runtime's, and not a mistake in how it was called."""
    module = type(error).__module__
    return module.startswith("onnxruntime") or type(error) in (RuntimeError, MemoryError)


def one_line(error: Exception) -> str:
    """Its message without line breaks, at most 400 characters."""
    text = " ".join(str(error).split())
    return text if len(text) <= 400 else f"{text[:397]}..."


def device_failure(error: Exception) -> str | None:
    """What CUDA itself reported through onnxruntime, in a few words; None if it wasn't CUDA."""
    found = _DEVICE_FAILURE.search(" ".join(str(error).split()))
    return None if found is None else found[0]
