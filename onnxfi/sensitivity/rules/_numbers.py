"""Numbers that a model stores."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from onnxfi.bits import from_words, has_format
from onnxfi.graph import Model, initializer_words


def stored_numbers(model: Model, name: str) -> NDArray[np.float64] | None:
    """A stored tensor decoded, flat float64; None for anything else."""
    stored = model.index.initializers.get(name)
    if stored is None or stored.element is None or not has_format(stored.element):
        return None
    words = initializer_words(model, name)
    with np.errstate(invalid="ignore"):  # signalling NaNs
        return from_words(words, stored.element, words.shape).astype(np.float64)


def stored_number(model: Model, name: str) -> float | None:
    """A stored tensor of one element; None for anything else."""
    values = stored_numbers(model, name)
    return float(values[0]) if values is not None and len(values) == 1 else None
