"""Crops: the only part of an image that may differ from golden, of many rows in one array.

Images lie in blocks of channels: (n, channels / block, height, width, block) in memory, seen as
(n, channels, height, width). The channels of a block at one place are a *cell*, which is copied as
a whole. Crops of one array have one size, and each its own place.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from onnxfi.graph import Receptive

Image = NDArray[Any]
Places = NDArray[np.int64]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Frame:
    """Where crops of one size lie in images.

    Attributes:
        top: First row of each, (r,); what lies outside of the image is padding.
        left: First column of each, (r,).
        height: Rows.
        width: Columns.
    """

    top: Places
    left: Places
    height: int
    width: int

    @property
    def area(self) -> int:
        """Places in a crop."""
        return self.height * self.width

    def at(self, rows: Places | slice) -> Frame:
        """Some of them."""
        return Frame(
            top=self.top[rows], left=self.left[rows], height=self.height, width=self.width
        )

    def reached(self, field: Receptive, height: int, width: int) -> Frame:
        """Output places of a convolution that read something of the crops, inside of its output.

        Args:
            field: What its output places read.
            height: Rows of its output.
            width: Columns of its output.
        """
        top, bottom = _reached(self.top, self.height, field, 0, height)
        left, right = _reached(self.left, self.width, field, 1, width)
        return around(top, bottom, left, right, height, width)

    def read_by(self, field: Receptive) -> Frame:
        """What the output places in the crops read; padding lies outside of the image."""
        (tall, wide), (down, across), (above, before) = field.size, field.stride, field.pad
        return Frame(
            top=self.top * down - above,
            left=self.left * across - before,
            height=(self.height - 1) * down + tall,
            width=(self.width - 1) * across + wide,
        )


def around(
    top: Places, bottom: Places, left: Places, right: Places, height: int, width: int
) -> Frame:
    """Crops of one size that hold rectangles; they reach over the edge of an image nowhere."""
    tall = min(height, max(1, int((bottom - top).max())))
    wide = min(width, max(1, int((right - left).max())))
    return Frame(
        top=np.clip(top, 0, height - tall),
        left=np.clip(left, 0, width - wide),
        height=tall,
        width=wide,
    )


def trials(height: int, width: int, size: int, each: int) -> Frame | None:
    """Crops by which it is shown that crops do: corners, edges, the middle, ``each`` of each.

    Args:
        height: Rows of the image.
        width: Columns of the image.
        size: Rows and columns of a crop; None comes back if the image is smaller.
        each: How often every place is there.
    """
    if size > min(height, width):
        return None
    tops = sorted({0, (height - size) // 2, height - size})
    lefts = sorted({0, (width - size) // 2, width - size})
    top, left = np.meshgrid(tops, lefts, indexing="ij")
    return Frame(
        top=np.repeat(top.ravel(), each),
        left=np.repeat(left.ravel(), each),
        height=size,
        width=size,
    )


def _reached(
    start: Places, length: int, field: Receptive, axis: int, size: int
) -> tuple[Places, Places]:
    stride, pad, span = field.stride[axis], field.pad[axis], field.size[axis]
    first = -((span - 1 - pad - start) // stride)  # rounded up
    last = (start + length - 1 + pad) // stride
    return np.clip(first, 0, size), np.clip(last + 1, 0, size)


def crop(images: Image, block: int, samples: Places, frame: Frame) -> Image:
    """Crops of images, zero where they lie outside of them.

    Args:
        images: Images in blocks, (n, channels, height, width).
        block: Channels of a block.
        samples: Which image each crop is of, (r,).
        frame: Where they lie.

    Returns:
        Crops in blocks, (r, channels, frame.height, frame.width).
    """
    _, channels, height, width = images.shape
    rows = frame.top[:, np.newaxis] + np.arange(frame.height)
    columns = frame.left[:, np.newaxis] + np.arange(frame.width)
    below, beside = (rows < 0) | (rows >= height), (columns < 0) | (columns >= width)
    inside = not (below.any() or beside.any())
    if not inside:
        rows, columns = np.clip(rows, 0, height - 1), np.clip(columns, 0, width - 1)
    place = rows[:, :, np.newaxis] * width + columns[:, np.newaxis, :]
    blocks = samples[:, np.newaxis] * (channels // block) + np.arange(channels // block)
    index = (blocks * (height * width))[:, :, np.newaxis, np.newaxis] + place[:, np.newaxis]
    found = np.take(_cells(images, block), index)
    if not inside:
        outside = below[:, :, np.newaxis] | beside[:, np.newaxis, :]
        found[np.broadcast_to(outside[:, np.newaxis], found.shape)] = np.zeros(1, found.dtype)
    return _seen(found, images.dtype, channels)


def insert(
    into: Image, block: int, rows: Places, frame: Frame, crops: Image, at: Frame | None = None
) -> None:
    """Write crops over images, or over other crops.

    Args:
        into: Images in blocks, written to; in memory as they are declared.
        block: Channels of a block.
        rows: Which of them each crop belongs to, (r,).
        frame: Where the crops lie in the whole images; what is outside of ``into`` is left out.
        crops: The crops in blocks.
        at: Where ``into`` lies in the whole images, one frame a crop; None if it is whole.
    """
    _, channels, height, width = into.shape
    top, left = (frame.top, frame.left) if at is None else (frame.top - at.top, frame.left - at.left)
    y = top[:, np.newaxis] + np.arange(frame.height)
    x = left[:, np.newaxis] + np.arange(frame.width)
    blocks = rows[:, np.newaxis] * (channels // block) + np.arange(channels // block)
    place = y[:, :, np.newaxis] * width + x[:, np.newaxis, :]
    index = (blocks * (height * width))[:, :, np.newaxis, np.newaxis] + place[:, np.newaxis]
    inside = ((y >= 0) & (y < height))[:, :, np.newaxis] & ((x >= 0) & (x < width))[:, np.newaxis]
    cells = _cells(crops, block).reshape(index.shape)
    target = _cells(into, block)
    if inside.all():
        target[index] = cells
    else:
        wanted = np.broadcast_to(inside[:, np.newaxis], index.shape)
        target[index[wanted]] = cells[wanted]


def _cells(images: Image, block: int) -> NDArray[np.void]:
    """Images as one row of cells."""
    assert images.flags.c_contiguous  # else a copy would be written to
    return images.reshape(-1).view(np.dtype((np.void, block * images.itemsize)))


def _seen(cells: NDArray[np.void], dtype: np.dtype[Any], channels: int) -> Image:
    """Cells (n, blocks, height, width) as images (n, channels, height, width)."""
    count, _, height, width = cells.shape
    return np.ascontiguousarray(cells).view(dtype).reshape(count, channels, height, width)
