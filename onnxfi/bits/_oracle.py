"""The oracle: what every way of carrying out faults must equal, bit for bit."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from onnxfi.bits._format import Words


def apply_masks(
    words: Words,
    index: NDArray[np.int64],
    and_mask: NDArray[np.uint64],
    xor_mask: NDArray[np.uint64],
) -> Words:
    """Carry out faults on stored words, one after the other.

    Plain on purpose: this is the reference. For speed, :func:`merge` the faults and index once.

    Args:
        words: Flat unsigned words, one an element.
        index: int64 (k,), element of each fault; an element may occur several times.
        and_mask: uint64 (k,), bits kept; bits above the word are ignored.
        xor_mask: uint64 (k,), bits flipped afterwards; likewise.

    Returns:
        A copy of ``words`` with the faults in it.
    """
    faulty = words.copy()
    full = int(np.iinfo(words.dtype).max)
    for place, keep, toggle in zip(
        index.tolist(), and_mask.tolist(), xor_mask.tolist(), strict=True
    ):
        faulty[place] = ((int(faulty[place]) & keep) ^ toggle) & full
    return faulty
