"""Regions: crops of images in blocks, and what of an image a convolution carries where."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from onnxfi.engine.cut import Cropped, Deviation, Region, crop, gathered, insert, whole
from onnxfi.faults import SampleLayout
from onnxfi.graph import Receptive

BLOCK = 4
CHANNELS = 2 * BLOCK


def _plain(image):
    """(samples, channels, height, width) in memory as well, of an image in blocks."""
    count, channels, height, width = image.shape
    apart = image.reshape(count, channels // BLOCK, height, width, BLOCK)
    return np.moveaxis(apart, -1, 2).reshape(image.shape)


def _image(rng, count, height, width):
    return rng.normal(size=(count, CHANNELS, height, width)).astype(np.float32)


@st.composite
def regions(draw, height, width, outside=0):
    top = draw(st.integers(-outside, height - 1))
    left = draw(st.integers(-outside, width - 1))
    return Region(
        top=top,
        bottom=draw(st.integers(top + 1, height + outside)),
        left=left,
        right=draw(st.integers(left + 1, width + outside)),
        block=BLOCK,
    )


SIZES = st.tuples(st.integers(1, 6), st.integers(1, 7))
SOME = st.sets(st.integers(0, 3), min_size=1).map(lambda some: np.array(sorted(some), np.int64))


def _padded(image, by=3):
    return np.pad(image, ((0, 0), (0, 0), (by, by), (by, by)))


@given(SIZES, st.one_of(st.none(), SOME), st.data())
def test_crops_are_slices_with_zeros_around(size, samples, data):
    image = _image(np.random.default_rng(1), 4, *size)
    region = data.draw(regions(*size, outside=3))
    found = crop(image, region, samples)
    chosen = image if samples is None else image[samples]
    rows = slice(region.top + 3, region.bottom + 3), slice(region.left + 3, region.right + 3)
    expected = _padded(_plain(chosen))[:, :, rows[0], rows[1]]
    np.testing.assert_array_equal(_plain(found), expected)
    assert region.area == expected.shape[2] * expected.shape[3]
    assert crop(image, whole(image, BLOCK), None).tobytes() == image.tobytes()


@given(SIZES, st.one_of(st.none(), SOME), st.data())
def test_what_is_inserted_is_there_and_the_rest_stays(size, samples, data):
    rng = np.random.default_rng(1)
    image = _image(rng, 4, *size)
    region, at = data.draw(regions(*size)), data.draw(regions(*size, outside=2))
    count = 4 if samples is None else samples.size
    part = _image(rng, count, region.bottom - region.top, region.right - region.left)
    expected = _plain(image).copy()
    rows = slice(region.top, region.bottom), slice(region.left, region.right)
    chosen = slice(None) if samples is None else samples
    expected[chosen, :, rows[0], rows[1]] = _plain(part)
    held = crop(image, at, None)
    insert(held, part, region, samples, at=at)
    rows = slice(at.top + 3, at.bottom + 3), slice(at.left + 3, at.right + 3)
    np.testing.assert_array_equal(_plain(held), _padded(expected)[:, :, rows[0], rows[1]])


@given(SIZES, st.one_of(st.none(), SOME), st.data())
def test_deviations_in_a_region(size, samples, data):
    """What some samples see where a value deviates in a region of others among them."""
    rng = np.random.default_rng(1)
    golden = _image(rng, 4, *size)
    region = data.draw(regions(*size))
    around = range(4) if samples is None else samples.tolist()
    mine = np.array(sorted(data.draw(st.sets(st.sampled_from(list(around)), min_size=1))))
    part = _image(rng, mine.size, region.bottom - region.top, region.right - region.left)
    everywhere = mine.size == 4
    deviation = Deviation(samples=None if everywhere else mine, values=part, region=region)
    expected = _plain(golden).copy()
    expected[mine, :, region.top : region.bottom, region.left : region.right] = _plain(part)
    layout = SampleLayout(shape=(1, CHANNELS, *size), batch_axis=0)
    before = golden.tobytes()
    found = gathered(golden, layout, deviation, samples)
    np.testing.assert_array_equal(_plain(found), expected[list(around)])
    assert golden.tobytes() == before


FIELDS = st.builds(
    Receptive,
    size=st.tuples(st.integers(1, 4), st.integers(1, 4)),
    stride=st.tuples(st.integers(1, 3), st.integers(1, 3)),
    pad=st.tuples(st.integers(0, 2), st.integers(0, 2)),
)


def _made(image, field):
    """A convolution with a filter of ones over one channel, padded on all sides."""
    high, wide = field.pad
    padded = np.pad(image, ((high, high), (wide, wide)))
    rows, columns = (
        max(0, (padded.shape[axis] - field.size[axis]) // field.stride[axis] + 1) for axis in (0, 1)
    )
    found = np.zeros((rows, columns))
    for row in range(rows):
        for column in range(columns):
            top, left = row * field.stride[0], column * field.stride[1]
            found[row, column] = padded[
                top : top + field.size[0], left : left + field.size[1]
            ].sum()
    return found


@given(SIZES, FIELDS, st.data())
def test_reached_places_are_those_that_read_something_of_a_region(size, field, data):
    region = data.draw(regions(*size))
    marked = np.zeros(size)
    marked[region.top : region.bottom, region.left : region.right] = 1
    reached = _made(marked, field) > 0
    found = region.reached(field, *reached.shape)
    held = np.zeros(reached.shape, bool)
    held[found.top : found.bottom, found.left : found.right] = True
    assert not (reached & ~held).any(), "nothing that is reached is left out"
    if reached.any():
        # The smallest rectangle, but for strides that step over a part of the region.
        rows, columns = np.nonzero(reached)
        assert found.top == rows.min()
        assert found.bottom == rows.max() + 1
        assert (found.left, found.right) == (columns.min(), columns.max() + 1)
    elif all(step <= span for step, span in zip(field.stride, field.size, strict=True)):
        assert found.area == 0


@given(SIZES, FIELDS, st.data())
def test_a_crop_is_all_that_a_region_of_the_output_reads(size, field, data):
    rng = np.random.default_rng(1)
    image = rng.integers(1, 9, size).astype(np.float64)
    made = _made(image, field)
    if not made.size:
        return
    region = data.draw(regions(*made.shape))
    read = region.read_by(field)
    padded = np.pad(image, 12)
    part = padded[read.top + 12 : read.bottom + 12, read.left + 12 : read.right + 12]
    bare = Receptive(size=field.size, stride=field.stride, pad=(0, 0))
    np.testing.assert_array_equal(
        _made(part, bare), made[region.top : region.bottom, region.left : region.right]
    )


def test_where_a_crop_pays():
    field = Receptive(size=(3, 3), stride=(1, 1), pad=(1, 1))
    cropped = Cropped(read="r", summed="s", made="m", field=field, block=BLOCK)
    golden = {name: np.zeros((2, CHANNELS, 10, 10), np.float32) for name in "rsm"}

    def at(top, left, size=1):
        region = Region(top=top, bottom=top + size, left=left, right=left + size, block=BLOCK)
        values = np.zeros((2, CHANNELS, size, size), np.float32)
        return Deviation(samples=None, values=values, region=region)

    def found(**deviations):
        region = cropped.region(deviations, golden)
        return None if region is None else (region.top, region.bottom, region.left, region.right)

    assert found(r=at(5, 6)) == (4, 7, 5, 8)
    assert found(r=at(0, 9)) == (0, 2, 8, 10)
    assert found(s=at(5, 6)) == (5, 6, 6, 7)
    assert found(r=at(5, 6), s=at(1, 2)) == (1, 7, 2, 8)
    assert found(r=at(1, 1, 7)) is None  # most of the image
    assert found(r=Deviation(samples=None, values=golden["r"])) is None
    assert found(r=at(5, 6), s=Deviation(samples=None, values=golden["s"])) is None
