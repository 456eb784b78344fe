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

# Crops that lie in the same place, on average, from which they are worth slices of images.
_FEW = 6


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
        return Frame(top=self.top[rows], left=self.left[rows], height=self.height, width=self.width)

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
    runs = _runs(frame)
    if runs is not None:
        return _sliced(images, block, samples, frame, runs)
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


def _runs(frame: Frame) -> list[tuple[int, int]] | None:
    """Rows one behind the other whose crops lie in the same place; None if these are few.

    So lie those of one scenario: it has the same fault in every sample.
    """
    moves = (np.diff(frame.top) != 0) | (np.diff(frame.left) != 0)
    ends = [*(np.flatnonzero(moves) + 1).tolist(), frame.top.size]
    if len(ends) * _FEW > frame.top.size:
        return None
    return list(zip([0, *ends[:-1]], ends, strict=True))


def _sliced(
    images: Image, block: int, samples: Places, frame: Frame, runs: list[tuple[int, int]]
) -> Image:
    """:func:`crop` for crops that lie in the same place, many at a time."""
    _, channels, height, width = images.shape
    whole = _blocked(images, block)
    shape = (samples.size, channels // block, frame.height, frame.width, block)
    found = np.empty(shape, images.dtype)
    for low, high in runs:
        top, left = int(frame.top[low]), int(frame.left[low])
        above, before = max(0, -top), max(0, -left)
        below = max(above, min(frame.height, height - top))
        beside = max(before, min(frame.width, width - left))
        into, mine = found[low:high], samples[low:high]
        if above or before or below < frame.height or beside < frame.width:
            into[...] = 0
        part = whole[:, :, top + above : top + below, left + before : left + beside]
        if mine[-1] - mine[0] == mine.size - 1 and (np.diff(mine) == 1).all():
            into[:, :, above:below, before:beside] = part[mine[0] : mine[-1] + 1]
        else:
            into[:, :, above:below, before:beside] = part[mine]
    return found.reshape(samples.size, channels, frame.height, frame.width)


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
    top, left = (
        (frame.top, frame.left) if at is None else (frame.top - at.top, frame.left - at.left)
    )
    moved = Frame(top=top, left=left, height=frame.height, width=frame.width)
    runs = _runs(moved)
    if runs is not None:
        _written(into, block, rows, moved, crops, runs)
        return
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


def _written(
    into: Image, block: int, rows: Places, frame: Frame, crops: Image, runs: list[tuple[int, int]]
) -> None:
    """:func:`insert` for crops that lie in the same place, many at a time."""
    height, width = into.shape[2:]
    whole, parts = _blocked(into, block), _blocked(crops, block)
    for low, high in runs:
        top, left = int(frame.top[low]), int(frame.left[low])
        above, before = max(0, -top), max(0, -left)
        below, beside = min(frame.height, height - top), min(frame.width, width - left)
        if above >= below or before >= beside:
            continue
        target = whole[:, :, top + above : top + below, left + before : left + beside]
        part, mine = parts[low:high, :, above:below, before:beside], rows[low:high]
        if mine[-1] - mine[0] == mine.size - 1 and (np.diff(mine) == 1).all():
            target[mine[0] : mine[-1] + 1] = part
        else:
            target[mine] = part


def _blocked(images: Image, block: int) -> Image:
    count, channels, height, width = images.shape
    return images.reshape(count, channels // block, height, width, block)


def _cells(images: Image, block: int) -> NDArray[np.void]:
    """Images as one row of cells."""
    assert images.flags.c_contiguous  # else a copy would be written to
    return images.reshape(-1).view(np.dtype((np.void, block * images.itemsize)))


def _seen(cells: NDArray[np.void], dtype: np.dtype[Any], channels: int) -> Image:
    """Cells (n, blocks, height, width) as images (n, channels, height, width)."""
    count, _, height, width = cells.shape
    return np.ascontiguousarray(cells).view(dtype).reshape(count, channels, height, width)
