"""The cropped front: scenarios of which only crops of images deviate, while these are small."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from onnxfi.bits import ElementType, format_of
from onnxfi.engine.cut._cropped import Cropped, CropRows
from onnxfi.engine.cut._crops import Frame, around, crop, insert
from onnxfi.engine.cut._faulty import ValueFaults
from onnxfi.engine.cut._joined import joined_keys
from onnxfi.engine.cut._rows import Rows, differing
from onnxfi.engine.cut._start import Common
from onnxfi.inject import RunColumns, faulted

Array = NDArray[Any]
Keys = NDArray[np.int64]
# Scenarios that entered in one value with crops of one size: theirs stay of one size.
Origin = tuple[str, int, ElementType]

_IMAGE = 4  # axes of an image: samples, channels, height, width
# Of an image, up to which the faults of a scenario are worth a crop.
_SMALL = 1 / 16
# Rows in a run, and rows of a scenario from which it has runs of its own.
_MOST = 256
_MANY = 12
# What a run reads should fit the cache.
_RUN_BYTES = 1 << 20
_NO_KEYS = np.empty(0, np.int64)


class CropFront:
    """Crops of scenarios on their way through a chain.

    A scenario is here if it begins in one value and has not left: :meth:`leave` hands its rows over
    as whole ones.

    Args:
        common: What the scenarios have in common.
    """

    def __init__(self, common: Common) -> None:
        self._common = common
        self._size = common.window.size
        self._tables: dict[str, dict[Origin, CropRows]] = {}
        self._left: set[Origin] = set()

    def takes(self, name: str, faults: Sequence[ValueFaults]) -> bool:
        """Whether faults in a value may enter here."""
        if len(faults) != 1:
            return False
        (only,) = faults
        block, golden = only.block, self._common.golden[name]
        readers = self._common.chain.readers.get(name, ())
        return (
            block is not None
            and golden.ndim == _IMAGE
            and only.columns.sample is not None
            and not only.site.in_bytes
            and golden.size >= only.elements
            and any(position in self._common.cropped for position in readers)
        )

    def enter(self, name: str, faults: Mapping[int, ValueFaults]) -> list[int]:
        """Carry out faults of scenarios in golden crops of a value.

        Args:
            name: The value.
            faults: By scenario; :meth:`takes` them.

        Returns:
            Scenarios whose faults lie too far apart; they have not entered.
        """
        golden = self._common.golden[name]
        height, width = golden.shape[2:]
        each = golden.size // self._size
        alike: dict[tuple[int, ElementType], list[tuple[int, ValueFaults]]] = {}
        refused = []
        for scenario, one in faults.items():
            span = 1 if _one_each(one, self._size) else _span(one, each, height, width)
            if span is None:
                refused.append(scenario)
            else:
                alike.setdefault((span, one.site.element), []).append((scenario, one))
        for (span, element), some in alike.items():
            rows = self._entered(golden, some, element)
            if rows is not None:
                self._join(name, (name, span, element), rows)
        return refused

    def _join(self, name: str, origin: Origin, rows: CropRows) -> None:
        mine = self._tables.setdefault(name, {})
        before = mine.get(origin)
        mine[origin] = rows if before is None else _together(before, rows)

    def _entered(
        self, golden: Array, some: Sequence[tuple[int, ValueFaults]], element: ElementType
    ) -> CropRows | None:
        """Crops of golden rows with faults in them, where these change something."""
        size, each = self._size, golden.size // self._size
        height, width = golden.shape[2:]
        columns = [one.columns for _, one in some]
        block = some[0][1].block
        assert block is not None
        counts = [one.index.size for one in columns]
        index = np.concatenate([one.index for one in columns])
        sample = np.concatenate([one.sample for one in columns if one.sample is not None])
        key = np.repeat(np.array([scenario for scenario, _ in some]), counts) * size + sample
        word = format_of(element).word
        words = np.ascontiguousarray(golden).reshape(-1).view(word)[index]
        masks = RunColumns(
            index=index,
            and_mask=np.concatenate([one.and_mask for one in columns]),
            xor_mask=np.concatenate([one.xor_mask for one in columns]),
        )
        faulty = faulted(words, masks, element)
        hit = np.unique(key[words != faulty])
        if not hit.size:
            return None
        inside = np.isin(key, hit)
        key, faulty = key[inside], faulty[inside]
        cells, channel = np.divmod(index[inside] - sample[inside] * each, block)
        blocks, places = np.divmod(cells, height * width)
        row, column = np.divmod(places, width)
        owner = np.searchsorted(hit, key)
        starts = np.searchsorted(owner, np.arange(hit.size))
        frame = around(
            np.minimum.reduceat(row, starts),
            np.maximum.reduceat(row, starts) + 1,
            np.minimum.reduceat(column, starts),
            np.maximum.reduceat(column, starts) + 1,
            height,
            width,
        )
        crops = crop(golden, block, hit % size, frame)
        lead = owner * (golden.shape[1] // block) + blocks
        lead = (lead * frame.height + row - frame.top[owner]) * frame.width
        lead = (lead + column - frame.left[owner]) * block + channel
        crops.reshape(-1).view(word)[lead] = faulty
        return CropRows(keys=hit, frame=frame, crops=crops, block=block)

    def reading(self, names: Iterable[str]) -> list[Origin]:
        """Origins of the crops of some values."""
        found = (origin for name in names for origin in self._tables.get(name, ()))
        return list(dict.fromkeys(found))

    def has(self, name: str) -> bool:
        """Whether a value has crops."""
        return bool(self._tables.get(name))

    def run(self, position: int, origin: Origin, whole: bool, masks: bool) -> bool:
        """Run a part on crops of an origin, if it can be and that pays.

        Args:
            position: The part.
            origin: Which crops.
            whole: Whether scenarios have whole rows in something that the part reads.
            masks: Whether the part may turn different values into equal ones.

        Returns:
            Whether it was run; else the crops of what it reads have to leave.
        """
        cropped = self._common.cropped.get(position)
        if cropped is None or (whole and origin in self._left):
            return False
        names = (cropped.read, *cropped.beside)
        tables = {n: self._tables[n][origin] for n in names if origin in self._tables.get(n, ())}
        keys = joined_keys(list(map(_keyed, tables.values())), _NO_KEYS)
        golden = self._common.golden
        frame = cropped.frame(keys, tables, *golden[cropped.made].shape[2:])
        if frame is None:
            return False
        found = self._made(position, cropped, keys, frame, tables, masks)
        if found is not None:
            self._join(cropped.made, origin, found)
        return True

    def _made(
        self,
        position: int,
        cropped: Cropped,
        keys: Keys,
        frame: Frame,
        tables: Mapping[str, CropRows],
        masks: bool,
    ) -> CropRows | None:
        """What a part makes of crops, where it differs from golden."""
        common, size = self._common, self._size
        golden = common.golden[cropped.made]
        kept: list[Keys] = []
        crops: list[Array] = []
        read = common.golden[cropped.read]
        window = frame.read_by(cropped.field)
        row = window.area * read.shape[1] * read.itemsize
        most = max(1, min(_MOST, _RUN_BYTES // row))
        samples = keys % size
        places = {name: _keyed(table).positions(keys) for name, table in tables.items()}
        for low, high in _pieces(keys // size, most):
            mine, at = samples[low:high], frame.at(slice(low, high))
            some = {name: place[low:high] for name, place in places.items()}
            feeds = cropped.feeds(mine, at, tables, some, common.golden)
            made = common.chain.run_cropped(position, feeds, hurried=common.hurried)
            rows = np.arange(low, high)
            if masks:
                clean = crop(golden, cropped.block, mine, at)
                differs = differing(made, clean, np.arange(high - low))
                made, rows = made[differs], rows[differs]
            if rows.size:
                kept.append(rows)
                crops.append(made)
        if not kept:
            return None
        rows = np.concatenate(kept)
        return CropRows(
            keys=keys[rows],
            frame=frame.at(rows),
            crops=np.concatenate(crops),
            block=cropped.block,
        )

    def leave(self, origin: Origin, name: str) -> Rows | None:
        """The crops of a value as whole rows; they are here no more."""
        table = self._tables.get(name, {}).pop(origin, None)
        if table is None:
            return None
        self._left.add(origin)
        entries = self._common.golden[name][table.keys % self._size]
        insert(entries, table.block, np.arange(table.keys.size), table.frame, table.crops)
        return Rows(keys=table.keys, entries=entries)

    def drop(self, name: str) -> None:
        """Forget a value."""
        self._tables.pop(name, None)


def _pieces(scenarios: Keys, most: int) -> Iterator[tuple[int, int]]:
    """Rows that share a run: of one scenario where it has many, since its crops lie in one place.

    A convolution in blocks takes one image after the other, however many there are.
    """
    ends = np.flatnonzero(np.diff(scenarios)) + 1
    if (ends.size + 1) * _MANY > scenarios.size:
        ends = np.arange(most, scenarios.size, most)
    low = 0
    for end in (*ends.tolist(), scenarios.size):
        while end - low > most:
            yield low, low + most
            low += most
        yield low, end
        low = end


def _keyed(table: CropRows) -> Rows:
    return Rows(keys=table.keys, entries=table.crops)


def _one_each(faults: ValueFaults, size: int) -> bool:
    """Whether there is one fault in every sample, so that none lies far from another."""
    sample = faults.columns.sample
    assert sample is not None
    return sample.size == size and bool((sample == np.arange(size)).all())


def _span(faults: ValueFaults, each: int, height: int, width: int) -> int | None:
    """How far the faults of a sample lie apart, as a power of two; None if that is too far."""
    index, sample, block = faults.columns.index, faults.columns.sample, faults.block
    assert sample is not None
    assert block is not None
    if not index.size:
        return 1
    first = sample == sample[0]
    if np.count_nonzero(first) * np.unique(sample).size != index.size:
        first = np.ones_like(first)  # other faults in other samples
    places = (index - sample * each)[first] // block % (height * width)
    rows, columns = np.divmod(places, width)
    span = max(int(np.ptp(rows)), int(np.ptp(columns))) + 1
    power: int = 1 << (span - 1).bit_length()
    return power if power * power <= max(1.0, _SMALL * height * width) else None


def _together(first: CropRows, second: CropRows) -> CropRows:
    """Crops of other rows of the same size."""
    frame, other = first.frame, second.frame
    assert (frame.height, frame.width) == (other.height, other.width)
    return CropRows(
        keys=np.concatenate([first.keys, second.keys]),
        frame=Frame(
            top=np.concatenate([frame.top, other.top]),
            left=np.concatenate([frame.left, other.left]),
            height=frame.height,
            width=frame.width,
        ),
        crops=np.concatenate([first.crops, second.crops]),
        block=first.block,
    )
