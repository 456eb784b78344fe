from __future__ import annotations

import numpy as np
import pytest

from onnxfi.bits import ElementType
from onnxfi.errors import ConfigError
from onnxfi.faults import Burst


def hit(model: Burst, site) -> list[list[int]]:
    """Elements hit by each fault."""
    count = model.variants(site)
    columns = model.columns(site, np.arange(count), np.random.default_rng(0))
    return [columns.index[columns.owner == number].tolist() for number in range(count)]


def lines(model: Burst, site) -> list[list[int]]:
    """Elements hit by each fault whose variants differ only in the bit, without repeats."""
    return [list(item) for item in dict.fromkeys(map(tuple, hit(model, site)))]


def test_adjacent_bits(make_site):
    site = make_site(element=ElementType.UINT8, shape=(2,))
    model = Burst(4)
    columns = model.columns(site, np.arange(model.variants(site)), np.random.default_rng(0))
    assert columns.xor_mask.tolist() == [0b1111 << low for low in range(5)] * 2
    assert columns.index.tolist() == [0] * 5 + [1] * 5


def test_adjacent_bits_stay_inside_the_choice(make_site):
    site = make_site(element=ElementType.UINT8, shape=(1,))
    model = Burst(2, bits="0-2,5,6")
    columns = model.columns(site, np.arange(model.variants(site)), np.random.default_rng(0))
    assert columns.xor_mask.tolist() == [0b11, 0b110, 0b1100000]


def test_adjacent_elements_do_not_wrap(make_site):
    assert hit(Burst(3, along="elements", effect="zero"), make_site(shape=(2, 2))) == [
        [0, 1, 2],
        [1, 2, 3],
    ]
    assert hit(Burst(5, along="elements", effect="zero"), make_site(shape=(2, 2))) == []


def test_along_an_axis(make_site):
    site = make_site(shape=(3, 2))
    assert hit(Burst(2, along=0, effect="zero"), site) == [[0, 2], [1, 3], [2, 4], [3, 5]]
    assert hit(Burst(along=0, effect="zero"), site) == [[0, 2, 4], [1, 3, 5]]
    assert hit(Burst(2, along=-1, effect="zero"), site) == [[0, 1], [2, 3], [4, 5]]
    assert hit(Burst(2, along=2, effect="zero"), site) == []
    assert hit(Burst(along="row", effect="zero"), site) == [[0, 1], [2, 3], [4, 5]]


def test_every_bit_is_the_same_in_all_elements(make_site):
    site = make_site(element=ElementType.INT8, shape=(2, 2))
    model = Burst(along="row", bits="0,7", effect="stuck1")
    columns = model.columns(site, np.arange(model.variants(site)), np.random.default_rng(0))
    assert columns.index.tolist() == [0, 1, 0, 1, 2, 3, 2, 3]
    assert columns.xor_mask.tolist() == [1, 1, 128, 128] * 2
    assert columns.and_mask.tolist() == [254, 254, 127, 127] * 2


def test_channel_is_axis_0_of_a_stored_tensor(make_site):
    site = make_site(shape=(2, 3))
    assert lines(Burst(along="channel"), site) == [[0, 1, 2], [3, 4, 5]]
    assert Burst(along="channel").variants(make_site(shape=(4,))) == 0


def test_channel_is_axis_1_of_a_computed_tensor(make_site):
    site = make_site(shape=(1, 2, 2, 2), kind="activation", batch_axis=0)
    assert hit(Burst(along="channel", effect="zero"), site) == [[0, 1, 2, 3], [4, 5, 6, 7]]
    sequence = make_site(shape=(3, 1, 2), kind="activation", batch_axis=1)
    assert Burst(along="channel").variants(sequence) == 0


def test_channel_of_a_value_with_several_rows_a_sample(make_site):
    site = make_site(shape=(2, 2), kind="activation", batch_axis=0)
    assert hit(Burst(along="channel", effect="zero"), site) == [[0, 2], [1, 3]]


def test_tiles_fit_into_the_last_two_axes(make_site):
    site = make_site(shape=(2, 2, 3))
    expected = [[0, 1, 3, 4], [1, 2, 4, 5], [6, 7, 9, 10], [7, 8, 10, 11]]
    assert hit(Burst(along="tile", tile=(2, 2), effect="zero"), site) == expected
    assert hit(Burst(along="tile", tile=(3, 1), effect="zero"), site) == []
    assert hit(Burst(along="tile", tile=(1, 1), effect="zero"), make_site(shape=(3,))) == []


def test_huge_bursts_cost_nothing_where_they_do_not_fit(make_site):
    assert Burst(10**12, along="elements").variants(make_site()) == 0


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({}, "along 'bits' needs a length"),
        ({"along": "elements"}, "along 'elements' needs a length"),
        ({"length": 0}, "length 0 of a burst is out of range"),
        ({"length": 65}, "at most 64 bits"),
        ({"length": 2, "along": "row"}, "leave length out"),
        ({"along": "diagonal"}, "not 'diagonal'"),
        ({"along": True}, "not True"),
        ({"along": "tile"}, r"needs tile=\(height, width\)"),
        ({"along": "row", "tile": (2, 2)}, "no other burst takes it"),
        ({"along": "tile", "tile": (0, 2)}, "at least 1"),
        ({"along": "tile", "tile": (1, 2, 3)}, "a height and a width"),
        ({"length": 2, "effect": "melt"}, "effect 'melt' of a burst is not one of flip"),
        ({"length": 2, "effect": "zero"}, "clears whole elements"),
        ({"along": "row", "effect": "zero", "bits": 3}, "leave bits out"),
    ],
)
def test_contradictions_are_refused(options, message):
    with pytest.raises(ConfigError, match=message):
        Burst(**options)
