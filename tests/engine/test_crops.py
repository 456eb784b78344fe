"""Crops of images in blocks: what slices of ordinary images give, with zeros around them."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from onnxfi.engine.cut import Cropped, CropRows, Frame, crop, insert
from onnxfi.graph import Receptive

BLOCK = 4


def _image(rng, count, channels, height, width):
    return rng.standard_normal((count, channels, height, width)).astype(np.float32)


def _plain(image):
    """An image in blocks as an ordinary one."""
    count, channels, height, width = image.shape
    blocked = image.reshape(count, channels // BLOCK, height, width, BLOCK)
    return np.moveaxis(blocked, 4, 2).reshape(count, channels, height, width)


@st.composite
def frames(draw, outside=0):
    """Crops of one size in images of 7 x 6: all over, or many in one place."""
    height, width = draw(st.integers(1, 4)), draw(st.integers(1, 4))
    rng = np.random.default_rng(draw(st.integers(0, 2**32)))
    places, together = draw(st.integers(1, 5)), draw(st.sampled_from([1, 2, 9]))
    low, top, left = -outside, 7 - height + outside, 6 - width + outside
    return Frame(
        top=np.repeat(rng.integers(low, top + 1, places), together),
        left=np.repeat(rng.integers(low, left + 1, places), together),
        height=height,
        width=width,
    )


@given(frames(outside=3), st.integers(0, 2**32))
def test_crops_are_slices_with_zeros_around(frame, seed):
    rng = np.random.default_rng(seed)
    images = _image(rng, 5, 8, 7, 6)
    samples = rng.integers(0, 5, frame.top.size)
    if rng.integers(2):
        samples = np.sort(samples)
    padded = np.pad(_plain(images), ((0, 0), (0, 0), (4, 8), (4, 8)))
    found = _plain(crop(images, BLOCK, samples, frame))
    for row, (sample, top, left) in enumerate(zip(samples, frame.top, frame.left, strict=True)):
        rows = slice(top + 4, top + 4 + frame.height)
        columns = slice(left + 4, left + 4 + frame.width)
        np.testing.assert_array_equal(found[row], padded[sample, :, rows, columns])


@given(frames(), frames(outside=3), st.integers(0, 2**32))
def test_what_is_inserted_is_there_and_the_rest_stays(whole, inner, seed):
    """Into whole images, and into crops of which a part lies elsewhere."""
    rng = np.random.default_rng(seed)
    count = min(whole.top.size, inner.top.size)
    at, frame = whole.at(slice(count)), inner.at(slice(count))
    into = _image(rng, count, 8, at.height, at.width)
    parts = _image(rng, count, 8, frame.height, frame.width)
    expected = _plain(into).copy()
    for row in range(count):
        for y in range(frame.height):
            for x in range(frame.width):
                down = int(frame.top[row] - at.top[row]) + y
                across = int(frame.left[row] - at.left[row]) + x
                if 0 <= down < at.height and 0 <= across < at.width:
                    expected[row, :, down, across] = _plain(parts)[row, :, y, x]
    insert(into, BLOCK, np.arange(count), frame, parts, at)
    np.testing.assert_array_equal(_plain(into), expected)


FIELDS = [
    Receptive(size=(3, 3), stride=(1, 1), pad=(1, 1)),
    Receptive(size=(1, 1), stride=(2, 2), pad=(0, 0)),
    Receptive(size=(3, 5), stride=(2, 1), pad=(1, 2)),
    Receptive(size=(2, 2), stride=(3, 3), pad=(0, 0)),
]


def _reads(field, place, axis):
    low = place * field.stride[axis] - field.pad[axis]
    return range(low, low + field.size[axis])


@given(frames(), st.sampled_from(FIELDS))
def test_reached_places_are_all_that_read_something_of_a_crop(frame, field):
    height = (7 + 2 * field.pad[0] - field.size[0]) // field.stride[0] + 1
    width = (6 + 2 * field.pad[1] - field.size[1]) // field.stride[1] + 1
    found = frame.reached(field, height, width)
    read = found.read_by(field)
    for row in range(frame.top.size):
        rows = range(frame.top[row], frame.top[row] + frame.height)
        columns = range(frame.left[row], frame.left[row] + frame.width)
        for y in range(height):
            for x in range(width):
                hit = set(_reads(field, y, 0)) & set(rows)
                hit = hit and set(_reads(field, x, 1)) & set(columns)
                inside = (
                    found.top[row] <= y < found.top[row] + found.height
                    and found.left[row] <= x < found.left[row] + found.width
                )
                assert inside or not hit
                if inside:
                    assert read.top[row] <= min(_reads(field, y, 0))
                    assert max(_reads(field, y, 0)) < read.top[row] + read.height
        assert 0 <= found.top[row] <= height - found.height
        assert 0 <= found.left[row] <= width - found.width


def _table(keys, top, left, size=1):
    count = len(keys)
    frame = Frame(top=np.array(top), left=np.array(left), height=size, width=size)
    return CropRows(
        keys=np.array(keys),
        frame=frame,
        crops=np.zeros((count, 8, size, size), "f4"),
        block=BLOCK,
    )


@pytest.mark.parametrize(
    ("size", "pays"), [((16, 16), True), ((4, 4), False), ((5, 5), True)], ids=str
)
def test_where_a_crop_pays(size, pays):
    field = Receptive(size=(3, 3), stride=(1, 1), pad=(1, 1))
    cropped = Cropped(read="r", beside=("s",), made="m", field=field, block=BLOCK)
    found = cropped.frame(np.array([4]), {"r": _table([4], [1], [1])}, *size)
    assert (found is not None) is pays


def test_a_crop_holds_what_either_image_reaches():
    field = Receptive(size=(3, 3), stride=(1, 1), pad=(1, 1))
    cropped = Cropped(read="r", beside=("s",), made="m", field=field, block=BLOCK)
    tables = {"r": _table([7, 9], [5, 5], [5, 5]), "s": _table([9, 3], [8, 2], [5, 2])}
    found = cropped.frame(np.array([3, 7, 9]), tables, 32, 32)
    assert (found.height, found.width) == (5, 3)
    for row, (top, bottom) in enumerate(((2, 2), (4, 6), (4, 8))):
        assert found.top[row] <= top <= bottom < found.top[row] + found.height
