"""Counter-based random bits: every word is a function of (seed, stream, k, position) alone.

Only the raw output of Philox4x64-10 (Salmon et al., SC 2011) is used, which numpy promises to keep;
the methods of ``numpy.random.Generator`` may change between versions, so what decides a draw is
computed from raw words by the functions of this package.
"""

from __future__ import annotations

import enum

import numpy as np
from numpy.typing import NDArray

from onnxfi.errors import ConfigError

_WORDS_A_BLOCK = 4
_LARGEST = 2**64


class Stream(enum.IntEnum):
    """Independent uses of one seed; the numbers are part of what a seed means and never change."""

    ORDER = 1
    SUBSET = 2
    BIT_ERRORS = 3
    SAMPLE_BIT_ERRORS = 4
    VALUES = 5


def check_seed(seed: int) -> int:
    """The seed, if it can be one.

    Raises:
        ConfigError: It is not an integer in 0..2^64 - 1.
    """
    if isinstance(seed, bool) or not isinstance(seed, int) or not 0 <= seed < _LARGEST:
        raise ConfigError(f"a seed is an integer from 0 to 2^64 - 1, got {seed!r}")
    return seed


def raw_bits(seed: int, stream: int, start: int, n: int, *, k: int = 0) -> NDArray[np.uint64]:
    """Words ``start`` to ``start + n`` of one random sequence, uint64 (n,).

    Args:
        seed: 0..2^64 - 1.
        stream: Which use of the seed, see :class:`Stream`.
        start: First word.
        n: Number of words.
        k: Which of the stream's sequences, such as a scenario's number.
    """
    block, skip = divmod(start, _WORDS_A_BLOCK)
    words = _philox(seed, stream, [block, 0, k, 0]).random_raw(skip + n)
    return np.asarray(words[skip:])


def generator(seed: int, stream: int, k: int) -> np.random.Generator:
    """A generator whose state is a function of (seed, stream, k); shares no word with `raw_bits`.

    For values that a fault model or a user's function draws, not for choosing faults.
    """
    return np.random.Generator(_philox(seed, stream, [0, 0, k, 1]))


def _philox(seed: int, stream: int, counter: list[int]) -> np.random.Philox:
    key = np.array([check_seed(seed), stream], dtype=np.uint64)
    return np.random.Philox(key=key, counter=np.array(counter, dtype=np.uint64))
