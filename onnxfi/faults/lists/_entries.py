"""Entries: the columns of a fault list file to fault groups and back."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping

import numpy as np
from numpy.typing import NDArray

from onnxfi.bits import BitFormat, Masks, encode, flip, format_of, stuck_at_one, stuck_at_zero
from onnxfi.errors import ConfigError, FaultError
from onnxfi.faults.lists._records import FaultEntry, HexColumn, IntColumn, ValueColumn
from onnxfi.faults.models import FaultGroup, known_graph, out_of_range
from onnxfi.faults.sites import FaultSite
from onnxfi.faults.space import site_named

_HEX = re.compile(r"(?:0[xX])?[0-9a-fA-F]{1,16}")
_BIT_FORMS = {"flip": flip, "stuck0": stuck_at_zero, "stuck1": stuck_at_one}
_SPECIAL = ("nan", "inf", "-inf")


def read_entry(
    entry: FaultEntry, sites: Mapping[str, FaultSite], graphs: Mapping[str, bytes] | None = None
) -> Iterator[tuple[FaultSite, FaultGroup]]:
    """The faults of one entry, by site: a column of steps names a site ``NAME@STEP`` for each.

    Args:
        entry: The entry.
        sites: Sites by name; their formats read bit numbers and values.
        graphs: Models that are faults, by sha256.

    Returns:
        Groups in canonical form: masks within the element's width. Elements are not yet checked
        against the site's shape.

    Raises:
        FaultError: There is no such site, columns don't fit each other, or a mask, bit, value or
            step is wrong.
    """
    asked = _integers(-1 if entry.step is None else entry.step, "step").tolist()
    homes = {step: _home(entry.site, step, sites) for step in dict.fromkeys(asked) or (-1,)}
    # All are steps of one tensor.
    group, steps = _columns(entry, next(iter(homes.values())))
    graph = None
    if entry.fault_graph is not None:
        graph = known_graph(entry.fault_graph, graphs or {}, whole=entry.whole)
    for step, here in homes.items():
        chosen = steps == step
        yield (
            here,
            FaultGroup(
                site=here.name,
                index=group.index[chosen],
                and_mask=group.and_mask[chosen],
                xor_mask=group.xor_mask[chosen],
                sample=None if group.sample is None else group.sample[chosen],
                graph=graph,
            ),
        )


def _home(name: str, step: int, sites: Mapping[str, FaultSite]) -> FaultSite:
    """The site of an entry in one step, -1 for every step."""
    if step < -1:
        raise FaultError(f"step {step} at site {name!r} does not exist; -1 stands for every step")
    return site_named(name if step == -1 else f"{name}@{step}", sites)


def _columns(entry: FaultEntry, site: FaultSite) -> tuple[FaultGroup, NDArray[np.int64]]:
    """The columns of an entry as one group, and the step of each row."""
    masks = _masks(entry, site)
    columns: list[NDArray[np.int64] | NDArray[np.uint64]] = [
        _integers(entry.index, "index"),
        np.atleast_1d(np.asarray(masks.and_mask, dtype=np.uint64)),
        np.atleast_1d(np.asarray(masks.xor_mask, dtype=np.uint64)),
    ]
    columns.append(_integers(-1 if entry.step is None else entry.step, "step"))
    if entry.sample is not None:
        columns.append(_integers(entry.sample, "sample"))
    lengths = {len(column) for column in columns} - {1}
    if len(lengths) > 1:
        raise FaultError(f"columns have different lengths ({_listed(lengths)})")
    rows = lengths.pop() if lengths else 1
    index, keep, toggle, step, *sample = [
        np.broadcast_to(column, rows).copy() for column in columns
    ]
    named = bool(sample) and bool((sample[0] >= 0).any())
    group = FaultGroup(
        site=site.name,
        index=index.astype(np.int64),
        and_mask=keep.astype(np.uint64),
        xor_mask=toggle.astype(np.uint64),
        sample=sample[0].astype(np.int64) if named else None,
    )
    return group, step.astype(np.int64)


def write_entry(group: FaultGroup, form: BitFormat | None) -> FaultEntry:
    """The entry of a group, with masks in hexadecimal.

    Args:
        group: The faults.
        form: Format of the site's elements: gives the digits, and leaves ``and`` out where all
            bits are kept. None if not known.
    """
    if group.graph is not None:
        return FaultEntry(
            site=group.site,
            index=group.index.tolist(),
            fault_graph=group.graph.sha256,
            whole=group.graph.whole,
        )
    digits = 1 if form is None else -(-form.width // 4)
    keep = group.and_mask if form is None else group.and_mask & np.uint64(form.mask)
    kept = form is not None and bool((keep == np.uint64(form.mask)).all())
    same = len(keep) > 0 and bool((keep == keep[0]).all())
    and_column: HexColumn | None = None
    if not kept:
        and_column = _hex(keep[:1], digits)[0] if same else _hex(keep, digits)
    return FaultEntry(
        site=group.site,
        index=group.index.tolist(),
        and_=and_column,
        xor=_hex(group.xor_mask, digits),
        sample=None if group.sample is None else group.sample.tolist(),
    )


def _masks(entry: FaultEntry, site: FaultSite) -> Masks:
    form = format_of(site.element)
    given = [name for name in ("flip", "stuck0", "stuck1") if getattr(entry, name) is not None]
    given += ["set"] * (entry.set_ is not None)
    given += ["masks"] * (entry.and_ is not None or entry.xor is not None)
    given += ["fault_graph"] * (entry.fault_graph is not None)
    if len(given) != 1:
        what = " and ".join(given) or "nothing"
        raise FaultError(
            f"expected one of xor (with and), flip, stuck0, stuck1, set, fault_graph; got {what}"
        )
    if entry.whole and given != ["fault_graph"]:
        raise FaultError("whole goes with fault_graph only")
    if given == ["fault_graph"]:
        return Masks(np.full(1, form.mask, np.uint64), np.zeros(1, np.uint64))
    if given == ["set"] and entry.set_ is not None:
        return Masks(np.zeros(1, np.uint64), _values(entry.set_, site))
    if given == ["masks"]:
        full = np.array([form.mask], dtype=np.uint64)
        keep = full if entry.and_ is None else _from_hex(entry.and_) & full
        toggle = np.zeros(1, np.uint64) if entry.xor is None else _from_hex(entry.xor)
        return Masks(keep, toggle)
    bits = _integers(getattr(entry, given[0]), given[0])
    outside = (bits < 0) | (bits >= form.width)
    if outside.any():
        raise out_of_range(int(bits[outside][0]), site)
    return _BIT_FORMS[given[0]](np.uint64(1) << bits.astype(np.uint64), form.width)


def _values(column: ValueColumn, site: FaultSite) -> NDArray[np.uint64]:
    values = column if isinstance(column, list) else [column]
    # By text: 0.0 and -0.0 are equal, but different words.
    words: dict[str, int] = {}
    for value in values:
        if repr(value) in words:
            continue
        if isinstance(value, str) and value not in _SPECIAL:
            raise FaultError(f"set {value!r} is neither a number nor one of {', '.join(_SPECIAL)}")
        try:
            number = float(value) if isinstance(value, str) else value
            words[repr(value)] = encode(number, site.element)
        except ConfigError as error:
            raise FaultError(f"{error} (site {site.name!r})") from None
    return np.array([words[repr(value)] for value in values], dtype=np.uint64)


def _integers(column: IntColumn, name: str) -> NDArray[np.int64]:
    values = column if isinstance(column, list) else [column]
    try:
        return np.array(values, dtype=np.int64)
    except OverflowError:
        raise FaultError(f"{name} has a number that is out of range") from None


def _from_hex(column: HexColumn) -> NDArray[np.uint64]:
    texts = column if isinstance(column, list) else [column]
    for text in texts:
        if not _HEX.fullmatch(text):
            raise FaultError(f"mask {text[:40]!r} is not a hexadecimal number of at most 64 bits")
    return np.array([int(text, 16) for text in texts], dtype=np.uint64)


def _hex(words: NDArray[np.uint64], digits: int) -> list[str]:
    return [f"{word:0{digits}x}" for word in words.tolist()]


def _listed(numbers: set[int]) -> str:
    return ", ".join(map(str, sorted(numbers)))
