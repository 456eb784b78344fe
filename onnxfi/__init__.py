"""onnxfi: fault injection for shipped ONNX models on onnxruntime.

``import onnxfi as fi`` stays cheap: names are loaded from :mod:`onnxfi.api` on first use.
"""

from __future__ import annotations

import importlib
import logging
from typing import TYPE_CHECKING, Any

__version__ = "0.1.0"

# A library: whoever wants to see the records of the logger says where.
logging.getLogger(__name__).addHandler(logging.NullHandler())

if TYPE_CHECKING:
    from onnxfi.api import *  # noqa: F403


def __getattr__(name: str) -> Any:
    if name.startswith("_"):
        raise AttributeError(f"module 'onnxfi' has no attribute {name!r}")
    api = importlib.import_module("onnxfi.api")
    try:
        return getattr(api, name)
    except AttributeError:
        raise AttributeError(f"module 'onnxfi' has no attribute {name!r}") from None


def __dir__() -> list[str]:
    api = importlib.import_module("onnxfi.api")
    return sorted([*api.__all__, "__version__"])
