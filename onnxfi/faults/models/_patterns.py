"""Patterns: the sets of elements of one site that a fault can hit, numbered."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from onnxfi.errors import FaultError
from onnxfi.faults.sites import FaultSite


@dataclass(frozen=True, slots=True, kw_only=True)
class Pattern:
    """One pattern of elements, and all positions at which it fits into a tensor.

    Attributes:
        grid: Number of positions along each axis; positions are numbered in C order.
        strides: What one step along each axis of the grid adds to the flat element index.
        offsets: int64 (m,), ascending from 0: elements of the pattern, relative to its position.
    """

    grid: tuple[int, ...]
    strides: tuple[int, ...]
    offsets: NDArray[np.int64]

    @property
    def count(self) -> int:
        """Number of positions."""
        return math.prod(self.grid)

    def base(self, positions: NDArray[np.int64]) -> NDArray[np.int64]:
        """First element of the pattern at each position; int64 (n,)."""
        base = np.zeros_like(positions)
        rest = positions
        for extent, stride in zip(reversed(self.grid), reversed(self.strides), strict=True):
            rest, along = np.divmod(rest, max(extent, 1))
            base += along * stride
        return base

    def find(self, index: NDArray[np.int64]) -> int | None:
        """Position whose elements are exactly ``index`` (int64, ascending), or None."""
        if len(index) != len(self.offsets) or not np.array_equal(index - index[0], self.offsets):
            return None
        position, rest = 0, int(index[0])
        # Strides need not nest (a channel's grid is its own axis only), so take the long ones
        # first and check at the end that nothing is left over.
        steps = dict.fromkeys(range(len(self.grid)), 0)
        for axis in sorted(steps, key=lambda item: -self.strides[item]):
            if self.grid[axis] > 1:
                steps[axis], rest = divmod(rest, self.strides[axis])
        if rest or any(steps[axis] >= extent for axis, extent in enumerate(self.grid)):
            return None
        for axis, extent in enumerate(self.grid):
            position = position * extent + steps[axis]
        return position


def shape_of_site(site: FaultSite) -> tuple[int, ...]:
    """Shape of (one sample of) a site's tensor.

    Raises:
        FaultError: It is not known, because no workload was profiled.
    """
    if site.layout is None:
        raise FaultError(
            f"the shape of site {site.name!r} ({site.kind}) is known only at run time; give"
            f" --inputs, or choose stored sites such as --targets weight"
        )
    return site.layout.shape


def single_elements(shape: tuple[int, ...]) -> Pattern:
    """Every element on its own, in C order."""
    return Pattern(grid=(math.prod(shape),), strides=(1,), offsets=np.zeros(1, np.int64))


def nowhere() -> Pattern:
    """No position at all."""
    return Pattern(grid=(0,), strides=(1,), offsets=np.zeros(1, np.int64))


def windows(shape: tuple[int, ...], extents: tuple[int, ...]) -> Pattern:
    """Every position at which a box of ``extents`` (one a dimension) fits into ``shape``."""
    if any(not 1 <= extent <= size for size, extent in zip(shape, extents, strict=True)):
        return nowhere()
    strides = tuple(math.prod(shape[axis + 1 :]) for axis in range(len(shape)))
    offsets = np.zeros(1, np.int64)
    for extent, stride in zip(extents, strides, strict=True):
        offsets = (offsets[:, None] + np.arange(extent) * stride).reshape(-1)
    grid = tuple(size - extent + 1 for size, extent in zip(shape, extents, strict=True))
    return Pattern(grid=grid, strides=strides, offsets=offsets)
