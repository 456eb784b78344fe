"""What onnxruntime raises: whether it is its own, what it says, and whether the device failed."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager

from onnxfi.errors import BackendError

# In the middle of what onnxruntime says: source files, C++ types, the name of the host.
_DEVICE_FAILURE = re.compile(r"CUDA failure \d+: [^;]*[^; ]")


def from_onnxruntime(error: Exception) -> bool:
    """Whether an exception is the runtime's, and not a mistake in how it was called."""
    module = type(error).__module__
    return module.startswith("onnxruntime") or type(error) in (RuntimeError, MemoryError)


def one_line(error: Exception) -> str:
    """Its message without line breaks, at most 400 characters.

    Of longer ones the middle is left out: onnxruntime begins with the kind of failure, goes on with
    where in its sources that was, and says last what it was.
    """
    text = " ".join(str(error).split())
    return text if len(text) <= 400 else f"{text[:97]} ... {text[-298:]}"


def device_failure(error: Exception) -> str | None:
    """What CUDA itself reported through onnxruntime, in a few words; None if it wasn't CUDA."""
    found = _DEVICE_FAILURE.search(" ".join(str(error).split()))
    return None if found is None else found[0]


@contextmanager
def copying(what: str) -> Iterator[None]:
    """Copy between host and device inside the ``with`` block.

    Args:
        what: What can't be done if it fails.

    Raises:
        BackendError: onnxruntime raised: the device has no room, or failed.
    """
    try:
        yield
    except Exception as error:
        if not from_onnxruntime(error):
            raise
        reason = device_failure(error) or one_line(error)
        raise BackendError(f"{what}: {reason}; check the device with nvidia-smi") from error
