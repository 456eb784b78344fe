"""Strata: a fault space divided by site, layer, kind, bit and so on, each part numbered."""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from onnxfi.errors import ConfigError
from onnxfi.faults import FaultSpace, bit_key, element_variants, site_keys

BY_VARIANT = ("bit", "field")


class Piece(NamedTuple):
    """Faults of one segment of a space that belong together.

    Attributes:
        start: First fault number of the segment.
        elements: Elements that each have the same variants.
        period: Variants of an element.
        offsets: int64 (m,), the variants that belong here.
    """

    start: int
    elements: int
    period: int
    offsets: NDArray[np.int64]

    @property
    def size(self) -> int:
        """Faults."""
        return self.elements * len(self.offsets)

    def numbers(self, positions: NDArray[np.int64]) -> NDArray[np.int64]:
        """Fault numbers at positions in the piece; int64 (n,)."""
        element, which = np.divmod(positions, len(self.offsets))
        return np.asarray(self.start + element * self.period + self.offsets[which])

    def holds(self, numbers: NDArray[np.int64]) -> NDArray[np.bool_]:
        """Which fault numbers are of the piece; bool (n,)."""
        element, variant = np.divmod(numbers - self.start, self.period)
        return (element >= 0) & (element < self.elements) & np.isin(variant, self.offsets)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Stratum:
    """A part of a fault space.

    Attributes:
        key: What its faults have in common, such as ``conv1.weight, 30``.
        pieces: Its faults, in order.
    """

    key: str
    pieces: tuple[Piece, ...]

    @property
    def size(self) -> int:
        """Faults."""
        return sum(piece.size for piece in self.pieces)

    def numbers(self, positions: NDArray[np.int64]) -> NDArray[np.int64]:
        """Fault numbers at positions 0..size - 1 of the stratum; int64 (n,)."""
        ends = np.cumsum([piece.size for piece in self.pieces])
        owner = np.searchsorted(ends, positions, side="right")
        found = np.empty(len(positions), np.int64)
        for which in np.unique(owner).tolist():
            mine = owner == which
            piece = self.pieces[which]
            found[mine] = piece.numbers(positions[mine] - (ends[which] - piece.size))
        return found

    def holds(self, numbers: NDArray[np.int64]) -> NDArray[np.bool_]:
        """Which fault numbers are of the stratum; bool (n,)."""
        found = np.zeros(len(numbers), np.bool_)
        for piece in self.pieces:
            found |= piece.holds(numbers)
        return found


def strata(space: FaultSpace, by: Sequence[str]) -> tuple[Stratum, ...]:
    """A space divided so that every fault is in exactly one stratum.

    Args:
        space: What can be hit.
        by: What faults of one stratum have in common: ``site``, ``layer``, ``op_type``, ``kind``,
            ``part``, ``step``, ``bit``, ``field``; at least one.

    Returns:
        In the order of the space; only those with faults.

    Raises:
        ConfigError: There is no such facet, or faults can't be told apart by it.
    """
    known = (*site_keys(space.sites[0]), *BY_VARIANT)
    for name in by:
        if name not in known:
            raise ConfigError(f"strata can't be made by {name!r}; choose from {', '.join(known)}")
    if not by:
        raise ConfigError(f"name what strata are made by: {', '.join(known)}")
    parts: dict[tuple[str, ...], list[Piece]] = {}
    for key, piece in _pieces(space, by):
        parts.setdefault(key, []).append(piece)
    return tuple(Stratum(key=", ".join(key), pieces=tuple(pieces)) for key, pieces in parts.items())


def _pieces(space: FaultSpace, by: Sequence[str]) -> Iterator[tuple[tuple[str, ...], Piece]]:
    elements = [site.element for site in space.sites]
    starts = [*(segment.start for segment in space.segments), space.size]
    for segment, (start, stop) in zip(space.segments, itertools.pairwise(starts), strict=True):
        site = space.sites[segment.site]
        keys = {name: key or "none" for name, key in site_keys(site).items()}
        if not set(by).intersection(BY_VARIANT):
            yield tuple(keys[name] for name in by), Piece(start, stop - start, 1, np.zeros(1, int))
            continue
        variants = element_variants(space, start, stop)
        if variants is None:
            model = space.models[segment.model].spec()
            raise ConfigError(
                f"faults of model {model} can't be divided by bit or field: each may touch several;"
                " make strata by site, layer, op_type or kind"
            )
        groups: dict[tuple[str, ...], list[int]] = {}
        for offset, (bit, field) in enumerate(zip(variants.bits, variants.fields, strict=True)):
            own = keys | {
                "bit": bit_key(bit, site.element, elements) if bit >= 0 else "several",
                "field": field or "several",
            }
            groups.setdefault(tuple(own[name] for name in by), []).append(offset)
        for key, offsets in groups.items():
            period = len(variants.bits)
            yield key, Piece(start, variants.elements, period, np.array(offsets, np.int64))
