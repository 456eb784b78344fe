from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from onnxfi.errors import ConfigError
from onnxfi.sampling import Stream, generator, raw_bits

SEEDS = st.integers(0, 2**64 - 1)


def test_the_words_are_philox():
    # Second block of Philox4x64-10 under the zero key: numpy counts up before its first block.
    words = [0x02F4BA6408E4D89B, 0x3DD62B0B9CA8C5B2, 0x1C8667A55D902E79, 0x907D7A052FD5B4DC]
    assert raw_bits(0, 0, 0, 4).tolist() == words


@settings(max_examples=50, deadline=None)
@given(seed=SEEDS, start=st.integers(0, 1000), n=st.integers(0, 50), k=SEEDS)
def test_random_access(seed, start, n, k):
    whole = raw_bits(seed, Stream.ORDER, 0, start + n, k=k)
    assert np.array_equal(raw_bits(seed, Stream.ORDER, start, n, k=k), whole[start:])


def test_every_coordinate_gives_other_words():
    words = [
        tuple(raw_bits(seed, stream, 0, 4, k=k).tolist())
        for seed in (0, 1, 2**64 - 1)
        for stream in Stream
        for k in (0, 1, 2**63)
    ]
    words += [tuple(generator(0, Stream.ORDER, 0).bit_generator.random_raw(4).tolist())]
    assert len({word for four in words for word in four}) == 4 * len(words)


def test_generators_repeat():
    first, again = generator(7, Stream.VALUES, 3), generator(7, Stream.VALUES, 3)
    assert first.random(5).tolist() == again.random(5).tolist()
    assert generator(7, Stream.VALUES, 4).random() != generator(7, Stream.VALUES, 3).random()


@pytest.mark.parametrize("seed", [-1, 2**64, 1.5, True, "1", None])
def test_bad_seeds(seed):
    with pytest.raises(ConfigError, match="seed"):
        raw_bits(seed, 0, 0, 1)
