"""Masks of elements as masks of the bytes that hold them, for memory without a dtype."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from onnxfi.bits._element import ElementType
from onnxfi.bits._format import format_of
from onnxfi.bits._masks import merge
from onnxfi.bits._packing import elements_a_byte

_BYTE = np.uint64(0xFF)


def byte_masks(
    index: NDArray[np.int64],
    and_mask: NDArray[np.uint64],
    xor_mask: NDArray[np.uint64],
    element: ElementType,
) -> tuple[NDArray[np.int64], NDArray[np.uint8], NDArray[np.uint8]]:
    """Spread faults on elements over their bytes, as ONNX's ``raw_data`` lays them out.

    Args:
        index: int64 (k,), flat element of each fault, in list order.
        and_mask: uint64 (k,).
        xor_mask: uint64 (k,).
        element: Their type; elements below one byte share it, low bits first.

    Returns:
        Byte offsets, ascending, each once, int64 (m,); uint8 (m,) masks to keep and to flip. Bytes
        that the faults leave alone do not occur; neither are bits changed that belong to no
        element, or to another one.

    Raises:
        FaultError: Elements of this type are not single words.
    """
    form = format_of(element)
    whole = np.uint64(form.mask)
    cleared, flipped = ~and_mask & whole, xor_mask & whole
    share = elements_a_byte(form.width)
    if share > 1:
        shift = (index % share * form.width).astype(np.uint64)
        offset, cleared, flipped = index // share, cleared << shift, flipped << shift
    else:
        size = form.word.itemsize
        lanes = np.arange(size)
        offset = (index[:, np.newaxis] * size + lanes).reshape(-1)
        cleared, flipped = (_lanes(masks, lanes) for masks in (cleared, flipped))
    used = (cleared | flipped) != 0
    offset, keep, flip = merge(offset[used], ~cleared[used] & _BYTE, flipped[used])
    return offset, keep.astype(np.uint8), flip.astype(np.uint8)


def _lanes(masks: NDArray[np.uint64], lanes: NDArray[Any]) -> NDArray[np.uint64]:
    shifted = masks[:, np.newaxis] >> (8 * lanes).astype(np.uint64)
    return (shifted & _BYTE).reshape(-1)
