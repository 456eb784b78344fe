"""Dimensions that a model declares: fixed, open, and open under a name that several share."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from onnxfi.graph import TensorSpec

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


Place = tuple[str, int, Dim]
"""Name of an input, axis, and what is declared there."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Family:
    """Dimensions of one name; one without a name is a family of its own.

    Attributes:
        places: Where they are, in file order.
    """

    places: tuple[Place, ...]

    def axis_in(self, name: str) -> int | None:
        """The first axis of an input that belongs to the family."""
        return next((axis for owner, axis, _ in self.places if owner == name), None)


def families(inputs: Sequence[TensorSpec]) -> list[Family]:
    """All open dimensions of inputs, those of one name together."""
    found: dict[object, list[Place]] = {}
    for spec in inputs:
        for axis, dim in enumerate(spec.shape or ()):
            if is_free(dim):
                found.setdefault(symbol_of(dim) or (spec.name, axis), []).append(
                    (spec.name, axis, dim)
                )
    return [Family(places=tuple(places)) for places in found.values()]


def first_axes(inputs: Sequence[TensorSpec]) -> list[Family]:
    """The first axes of inputs of rank two or more that agree with the first such input's."""
    shaped = [spec for spec in inputs if spec.shape is not None and len(spec.shape) >= 2]
    together = [spec for spec in shaped if spec.shape and spec.shape[0] == _rows(shaped[0])]
    places = tuple((spec.name, 0, _rows(spec)) for spec in together)
    return [Family(places=places)] if places else []


def _rows(spec: TensorSpec) -> Dim:
    return None if spec.shape is None else spec.shape[0]
