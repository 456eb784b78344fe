"""How stored data lies in a file. Free of onnx, for whoever reads results only."""

from __future__ import annotations

import enum


class Form(enum.Enum):
    """How stored data lies in the file."""

    TENSOR = "tensor"
    SPARSE = "sparse"
    """The non-zero values of a sparse tensor."""
    INDICES = "indices"
    """Where the values of a sparse tensor belong."""
    ATTRIBUTE = "attribute"
    """A list or tensor in an attribute of a node."""
