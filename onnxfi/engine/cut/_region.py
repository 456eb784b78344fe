"""Regions: the part of an image, the same in all samples, outside of which nothing deviates.

Images lie in blocks of channels, (samples, channels / b, height, width, b) in memory, as
onnxruntime's convolutions want them; their shape says (samples, channels, height, width).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from onnxfi.graph import Receptive

Image = NDArray[Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class Region:
    """A rectangle of an image.

    Attributes:
        top: First row.
        bottom: One past the last row.
        left: First column.
        right: One past the last column.
        block: Channels that lie together.
    """

    top: int
    bottom: int
    left: int
    right: int
    block: int

    @property
    def area(self) -> int:
        """Places in it."""
        return (self.bottom - self.top) * (self.right - self.left)

    def united(self, other: Region) -> Region:
        """The smallest rectangle that holds both."""
        return Region(
            top=min(self.top, other.top),
            bottom=max(self.bottom, other.bottom),
            left=min(self.left, other.left),
            right=max(self.right, other.right),
            block=self.block,
        )

    def reached(self, field: Receptive, height: int, width: int) -> Region:
        """Output places of a convolution that read something of the region.

        Args:
            field: What its output places read.
            height: Rows of its output.
            width: Columns of its output.
        """
        rows = _reached(self.top, self.bottom, field, 0, height)
        columns = _reached(self.left, self.right, field, 1, width)
        return Region(
            top=rows[0], bottom=rows[1], left=columns[0], right=columns[1], block=self.block
        )

    def read_by(self, field: Receptive) -> Region:
        """What the output places of the region read; padding lies outside of the image."""
        top, left = (
            start * field.stride[axis] - field.pad[axis]
            for axis, start in enumerate((self.top, self.left))
        )
        bottom, right = (
            (stop - 1) * field.stride[axis] - field.pad[axis] + field.size[axis]
            for axis, stop in enumerate((self.bottom, self.right))
        )
        return Region(top=top, bottom=bottom, left=left, right=right, block=self.block)


def crop(image: Image, region: Region, samples: NDArray[np.int64] | None) -> Image:
    """A region of some samples, in blocks like the image; zeros where it lies outside of it."""
    height, width = image.shape[2:]
    inside = _inside(region, height, width)
    rows = slice(inside.top, inside.bottom), slice(inside.left, inside.right)
    part = _blocked(image, region.block)[:, :, rows[0], rows[1]]
    part = part if samples is None else part[samples]
    if inside != region:
        count, blocks, _, _, block = part.shape
        size = (region.bottom - region.top, region.right - region.left)
        whole = np.zeros((count, blocks, *size, block), image.dtype)
        top, left = inside.top - region.top, inside.left - region.left
        bottom, right = inside.bottom - region.top, inside.right - region.left
        whole[:, :, top:bottom, left:right] = part
        part = whole
    part = np.ascontiguousarray(part)
    return part.reshape(part.shape[0], image.shape[1], *part.shape[2:4])


def insert(
    image: Image, part: Image, region: Region, samples: NDArray[np.int64] | None, *, at: Region
) -> None:
    """Write what lies in a region over an image of which only another region is there.

    Args:
        image: The image, written to; the region ``at`` of it.
        part: The samples' values in ``region``.
        region: Where they belong; what lies outside of ``at`` is left out.
        samples: Rows of ``image`` that the samples are; None for all.
        at: What of the whole image is there.
    """
    top, bottom = max(region.top, at.top), min(region.bottom, at.bottom)
    left, right = max(region.left, at.left), min(region.right, at.right)
    if top >= bottom or left >= right:
        return
    source = _blocked(part, region.block)[
        :, :, top - region.top : bottom - region.top, left - region.left : right - region.left
    ]
    target = _blocked(image, region.block)[
        :, :, top - at.top : bottom - at.top, left - at.left : right - at.left
    ]
    if samples is None:
        target[...] = source
    else:
        target[samples] = source


def whole(image: Image, block: int) -> Region:
    """All of an image."""
    return Region(top=0, bottom=image.shape[2], left=0, right=image.shape[3], block=block)


def _blocked(image: Image, block: int) -> Image:
    count, channels, height, width = image.shape
    return image.reshape(count, channels // block, height, width, block)


def _inside(region: Region, height: int, width: int) -> Region:
    """What of a region lies in an image; empty at its edge where nothing does."""
    return Region(
        top=min(max(0, region.top), height),
        bottom=min(max(0, region.bottom), height),
        left=min(max(0, region.left), width),
        right=min(max(0, region.right), width),
        block=region.block,
    )


def _reached(start: int, stop: int, field: Receptive, axis: int, size: int) -> tuple[int, int]:
    stride, pad, span = field.stride[axis], field.pad[axis], field.size[axis]
    first = -((span - 1 - pad - start) // stride)  # rounded up
    last = (stop - 1 + pad) // stride
    return min(max(0, first), size), max(0, min(size, last + 1))
