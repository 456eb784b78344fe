"""Dimensions that a model declares: fixed, open, or open under a name."""

from __future__ import annotations

import re
from collections.abc import Sequence

Dim = int | str | None


def is_free(dim: Dim) -> bool:
    """True for a dimension the model leaves open; a declared 0 or -1 is a placeholder too."""
    return not isinstance(dim, int) or dim <= 0


def symbol_of(dim: Dim) -> str | None:
    """The name of an open dimension; None without one.

    Exporters also write "?" for dimensions that have nothing to do with each other.
    """
    return dim if isinstance(dim, str) and re.fullmatch(r"[\w.]+", dim) else None


def fits(shape: Sequence[int], declared: Sequence[Dim]) -> bool:
    """Whether an array of this shape is what these dimensions ask for."""
    return len(shape) == len(declared) and all(
        is_free(want) or want == got for want, got in zip(declared, shape, strict=True)
    )


def without(shape: Sequence[Dim], axis: int) -> tuple[Dim, ...]:
    """All dimensions but one."""
    return (*shape[:axis], *shape[axis + 1 :])


def shape_text(shape: Sequence[Dim]) -> str:
    """A shape in words, ``(samples, 3, ?)``."""
    inner = ", ".join("?" if dim is None else str(dim) for dim in shape)
    return f"({inner},)" if len(shape) == 1 else f"({inner})"
