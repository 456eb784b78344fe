"""Counter-based random bits: every word is a function of (seed, stream, k, position) alone.

Only the raw output of Philox4x64-10 (Salmon et al., SC 2011) is used, which numpy promises to keep;
the methods of ``numpy.random.Generator`` may change between versions, so what decides a draw is
computed from raw words by the functions of this package.
"""

from __future__ import annotations

import enum
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from onnxfi.sampling._sampler import check_seed

_WORDS_A_BLOCK = 4
_MASK = 2**64 - 1

Words: TypeAlias = Any
"""A Python integer or an array of uint64: what is written once for both."""


class Stream(enum.IntEnum):
    """Independent uses of one seed; the numbers are part of what a seed means and never change."""

    ORDER = 1
    SUBSET = 2
    BIT_ERRORS = 3
    SAMPLE_BIT_ERRORS = 4
    VALUES = 5
    PRIORITY = 6
    STRATUM = 7
    ALLOCATION = 8
    TIE = 9
    TRIAL = 10


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


def keyed_hash(value: Words, first: int, second: int) -> Words:
    """A keyed 64-bit hash: the finaliser of SplitMix64 (Steele et al., OOPSLA 2014), twice."""
    return _mix(_mix((value + first) & _MASK) ^ second)


def uniforms(seed: int, stream: int, numbers: NDArray[np.int64]) -> NDArray[np.float64]:
    """A uniform number in (0, 1] for each of some integers, by a hash; float64 (n,).

    Unlike :func:`raw_bits` it needs no order: any integers, in any blocks, give the same numbers.

    Args:
        seed: 0..2^64 - 1.
        stream: Which use of the seed.
        numbers: int64 (n,), not negative.
    """
    first, second = raw_bits(seed, stream, 0, 2).tolist()
    words = keyed_hash(numbers.astype(np.uint64), first, second)
    return np.asarray(((words >> 11).astype(np.float64) + 1.0) * 2.0**-53)


def _mix(value: Words) -> Words:
    # The masks do nothing to uint64 arrays, which wrap; they keep Python integers to 64 bits.
    value = ((value ^ (value >> 30)) * 0xBF58476D1CE4E5B9) & _MASK
    value = ((value ^ (value >> 27)) * 0x94D049BB133111EB) & _MASK
    return value ^ (value >> 31)


def _philox(seed: int, stream: int, counter: list[int]) -> np.random.Philox:
    key = np.array([check_seed(seed), stream], dtype=np.uint64)
    return np.random.Philox(key=key, counter=np.array(counter, dtype=np.uint64))
