"""What a run returned, as one array an output."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from onnxfi.errors import UnsupportedModelError

RunOutputs: TypeAlias = Mapping[str, NDArray[Any]]
"""Outputs of one batch by name."""


def flatten_outputs(names: Sequence[str], raw: Sequence[object]) -> dict[str, NDArray[Any]]:
    """Outputs as onnxruntime returns them, turned into one array each.

    A sequence of maps (the class scores of tree and linear classifiers after ZipMap) becomes an
    array (B, K) whose columns follow the sorted keys; a single map becomes (K,).

    Args:
        names: Output names.
        raw: Their values, in the same order.

    Raises:
        UnsupportedModelError: An output is a sequence of tensors, an empty optional, or anything
            else that has no fixed array form.
    """
    return {name: _as_array(name, value) for name, value in zip(names, raw, strict=True)}


def _as_array(name: str, value: object) -> NDArray[Any]:
    if isinstance(value, np.ndarray):
        return value
    if isinstance(value, np.generic):
        return np.asarray(value)
    if isinstance(value, dict):
        return np.asarray(_from_maps(name, [value])[0])
    if isinstance(value, list) and value and all(isinstance(item, dict) for item in value):
        return _from_maps(name, value)
    got = "a sequence of tensors" if isinstance(value, list) else f"a {type(value).__name__}"
    raise UnsupportedModelError(
        f"output '{name}' is {got}, which can't be compared sample by sample; "
        "export the model with tensor outputs, or cut that output off"
    )


def _from_maps(name: str, maps: Sequence[Mapping[Any, Any]]) -> NDArray[Any]:
    keys = sorted(maps[0])
    if any(len(row) != len(keys) or any(key not in row for key in keys) for row in maps):
        raise UnsupportedModelError(
            f"output '{name}' is a sequence of maps with different keys, which has no array form"
        )
    return np.array([[row[key] for key in keys] for row in maps])
