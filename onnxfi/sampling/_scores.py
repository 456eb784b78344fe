"""Scores: how likely each fault is to fail, by which importance sampling chooses."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any, NamedTuple, TypeVar

import numpy as np
from numpy.typing import NDArray

from onnxfi.bits import format_of
from onnxfi.errors import ConfigError
from onnxfi.faults import Columns, FaultSite, FaultSpace
from onnxfi.sampling._sampler import Scores

_TOGETHER = 1 << 16  # faults scored at once: their columns stay in the processor's cache

_KEPT = (np.float16, np.float32, np.float64)  # as they are: large arrays are not copied

_Floats = TypeVar("_Floats", bound=NDArray[Any])

Score = Callable[[FaultSite, NDArray[np.int64], NDArray[np.int64]], NDArray[np.float64]]
"""A user's own score: site, flat element index int64 (m,), bit int64 (m,) to float64 (m,)."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class ArrayScores:
    """Scores from arrays, such as a ``.npz`` file with one array a site.

    A fault on several elements or bits has the highest score of those that it touches.

    Attributes:
        arrays: For each site (elements,), or (elements, width) with a column a bit, bit 0 first;
            float16, float32 or float64 as they were given, others as float64.
        digest: Hash of them.
    """

    arrays: Mapping[str, NDArray[np.floating]]
    digest: str

    @classmethod
    def read(
        cls, arrays: Mapping[str, NDArray[Any]], sites: Mapping[str, FaultSite]
    ) -> ArrayScores:
        """Check arrays against sites.

        Args:
            arrays: By site name, of the tensor's shape, or that shape and a last axis of bits; or
                flat. Floating-point ones are not copied.
            sites: Sites by name.

        Raises:
            ConfigError: No such site, a shape that does not fit, or a number that is none.
        """
        checked: dict[str, NDArray[np.floating]] = {}
        sha = hashlib.sha256()
        for name, given in sorted(arrays.items()):
            if name not in sites:
                raise ConfigError(f"scores name site {name!r}, which is not one that is faulted")
            checked[name] = _shaped(sites[name], np.asarray(given))
            sha.update(f"{name}\0{checked[name].shape}\0{checked[name].dtype}\0".encode())
            sha.update(np.ascontiguousarray(checked[name]).data)
        return cls(arrays=MappingProxyType(checked), digest=sha.hexdigest())

    def of(self, site: FaultSite, columns: Columns, count: int) -> NDArray[np.float64]:
        """Scores of faults on one site."""
        if site.name not in self.arrays:
            raise ConfigError(
                f"there are no scores for site {site.name!r}; add them, or leave the site out"
            )
        values = self.arrays[site.name]
        if values.ndim == 1:
            return _highest(values[columns.index].astype(np.float64), columns, count)
        touched = _touched(columns, values.shape[1])
        if not (touched & (touched - np.uint64(1))).any():  # the common case: one bit each
            one = values[columns.index, _lowest(touched)]
            return _highest(one.astype(np.float64), columns, count)
        found = np.zeros(len(columns.index))
        for bit in range(values.shape[1]):
            hit = np.flatnonzero(touched >> np.uint64(bit) & np.uint64(1))
            np.maximum.at(found, hit, values[columns.index[hit], bit])
        return _highest(found, columns, count)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class FunctionScores:
    """Scores from a user's function, which is asked for the element and the lowest touched bit.

    Attributes:
        function: Takes site, indices, bits; see :data:`Score`.
        name: What stands for it in recipes and hashes.
    """

    function: Score
    name: str

    @property
    def digest(self) -> str:
        """Hash of its name: what a function does can't be hashed."""
        return hashlib.sha256(f"function\0{self.name}".encode()).hexdigest()

    def of(self, site: FaultSite, columns: Columns, count: int) -> NDArray[np.float64]:
        """Scores of faults on one site."""
        touched = _touched(columns, format_of(site.element).width)
        bits = _lowest(touched)
        found = np.asarray(self.function(site, columns.index, bits), np.float64)
        if found.shape != columns.index.shape:
            raise ConfigError(
                f"the score function gave an array of shape {list(found.shape)} for"
                f" {len(columns.index)} faults on site {site.name!r}"
            )
        return _highest(_checked(found, site.name), columns, count)


class Scored(NamedTuple):
    """Scores of consecutive faults.

    Attributes:
        start: First fault number.
        values: float64 (m,).
    """

    start: int
    values: NDArray[np.float64]


def scored(space: FaultSpace, scores: Scores) -> Iterator[Scored]:
    """Scores of all faults of a space, in blocks that depend on the space alone.

    Raises:
        ConfigError: A fault model is random, or there are no scores for a site.
    """
    for begin in range(0, space.size, _TOGETHER):
        for part in space.stretches(begin, min(begin + _TOGETHER, space.size)):
            yield Scored(part.start, scores.of(part.site, part.columns, part.stop - part.start))


def _shaped(site: FaultSite, given: NDArray[Any]) -> NDArray[np.floating]:
    elements = site.layout.elements if site.layout else 0
    width = format_of(site.element).width
    fits = {elements: (elements,), elements * width: (elements, width)}
    if given.dtype.kind not in "fiub" or given.size not in fits:
        raise ConfigError(
            f"scores of site {site.name!r} have {given.size} numbers of type {given.dtype};"
            f" expected {elements} (one an element) or {elements * width} (one a bit)"
        )
    kept = given if given.dtype in _KEPT else given.astype(np.float64)
    return _checked(kept.reshape(fits[given.size]), site.name)


def _checked(values: _Floats, name: str) -> _Floats:
    # Of arrays that fill the memory no second one of their size is made; NaN is neither.
    if values.size and not (values.min() >= 0 and values.max() < np.inf):
        raise ConfigError(f"scores of site {name!r} are not all finite numbers from 0 up")
    return values


def _touched(columns: Columns, width: int) -> NDArray[np.uint64]:
    """Bits that each row can change."""
    every = np.uint64((1 << width) - 1)
    return (~columns.and_mask | columns.xor_mask) & every


def _lowest(touched: NDArray[np.uint64]) -> NDArray[np.int64]:
    """The lowest set bit of each mask; 0 where none is set."""
    lowest = touched & (~touched + np.uint64(1))
    bits = np.zeros(len(touched), np.int64)
    for step in (32, 16, 8, 4, 2, 1):
        above = lowest >> np.uint64(step)
        move = above > 0
        bits += step * move
        lowest = np.where(move, above, lowest)
    return bits


def _highest(values: NDArray[np.float64], columns: Columns, count: int) -> NDArray[np.float64]:
    """For each fault the highest value of its rows."""
    if len(values) == count:  # a row a fault, since every fault has one
        return values
    found = np.zeros(count)
    np.maximum.at(found, columns.owner, values)
    return found
