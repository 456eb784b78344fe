"""Entries: the columns of a fault list file to fault groups and back."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from onnxfi.bits import BitFormat, Masks, format_of
from onnxfi.errors import FaultError
from onnxfi.faults.lists._columns import by_hand, names_by_hand, read_columns
from onnxfi.faults.models import (
    FaultGroup,
    integer_column,
    known_graph,
)
from onnxfi.faults.sites import FaultSite
from onnxfi.faults.space import site_named

_HEX = re.compile(r"(?:0[xX])?[0-9a-fA-F]{1,16}")
_MASKS = ("xor", "and")
_PLAIN = ("site", "index", "sample", "step", "whole")


def read_entry(
    entry: Mapping[str, Any],
    sites: Mapping[str, FaultSite],
    graphs: Mapping[str, bytes] | None = None,
) -> Iterator[tuple[FaultSite, FaultGroup]]:
    """The faults of one entry, by site: a column of steps names a site ``NAME@STEP`` for each.

    Args:
        entry: The entry: columns by name, as JSON has them.
        sites: Sites by name; their formats read bit numbers and values.
        graphs: Models that are faults, by sha256.

    Returns:
        Groups in canonical form: masks within the element's width. Elements are not yet checked
        against the site's shape.

    Raises:
        FaultError: There is no such site, columns don't fit each other, or a mask, bit, value or
            step is wrong.
    """
    columns = read_columns(entry)
    asked = integer_column("step", columns.get("step", [-1])).tolist()
    found = {step: _site_at(columns["site"], step, sites) for step in dict.fromkeys(asked) or (-1,)}
    # All are steps of one tensor.
    group, steps = _in_rows(columns, next(iter(found.values())))
    graph = None
    if "fault_graph" in columns:
        whole = columns.get("whole", False)
        graph = known_graph(columns["fault_graph"], graphs or {}, whole=whole)
    for step, here in found.items():
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


def _site_at(name: str, step: int, sites: Mapping[str, FaultSite]) -> FaultSite:
    """The site of an entry in one step, -1 for every step."""
    if step < -1:
        raise FaultError(f"step {step} at site {name!r} does not exist; -1 stands for every step")
    return site_named(name if step == -1 else f"{name}@{step}", sites)


def _in_rows(columns: Mapping[str, Any], site: FaultSite) -> tuple[FaultGroup, NDArray[np.int64]]:
    """The columns of an entry as one group, and the step of each row."""
    masks = _masks(columns, site)
    arrays: list[NDArray[np.int64] | NDArray[np.uint64]] = [
        integer_column("index", columns["index"]),
        np.atleast_1d(np.asarray(masks.and_mask, dtype=np.uint64)),
        np.atleast_1d(np.asarray(masks.xor_mask, dtype=np.uint64)),
        integer_column("step", columns.get("step", [-1])),
    ]
    if "sample" in columns:
        arrays.append(integer_column("sample", columns["sample"]))
    lengths = {len(array) for array in arrays} - {1}
    if len(lengths) > 1:
        raise FaultError(f"columns have different lengths ({_listed(lengths)})")
    rows = lengths.pop() if lengths else 1
    index, keep, toggle, step, *sample = [np.broadcast_to(array, rows).copy() for array in arrays]
    named = bool(sample) and bool((sample[0] >= 0).any())
    group = FaultGroup(
        site=site.name,
        index=index.astype(np.int64),
        and_mask=keep.astype(np.uint64),
        xor_mask=toggle.astype(np.uint64),
        sample=sample[0].astype(np.int64) if named else None,
    )
    return group, step.astype(np.int64)


def write_entry(group: FaultGroup, form: BitFormat | None) -> dict[str, Any]:
    """The entry of a group, with masks in hexadecimal.

    Args:
        group: The faults.
        form: Format of the site's elements: gives the digits, and leaves ``and`` out where all
            bits are kept. None if not known.
    """
    found: dict[str, Any] = {"site": group.site, "index": group.index.tolist()}
    if group.graph is not None:
        whole = {"whole": True} if group.graph.whole else {}
        return found | {"fault_graph": group.graph.sha256} | whole
    digits = 1 if form is None else -(-form.width // 4)
    keep = group.and_mask if form is None else group.and_mask & np.uint64(form.mask)
    if form is None or not (keep == np.uint64(form.mask)).all():
        same = len(keep) > 0 and bool((keep == keep[0]).all())
        found["and"] = _hex(keep[:1], digits)[0] if same else _hex(keep, digits)
    found["xor"] = _hex(group.xor_mask, digits)
    if group.sample is not None:
        found["sample"] = group.sample.tolist()
    return found


def _masks(columns: Mapping[str, Any], site: FaultSite) -> Masks:
    """What the columns do to elements of a site: exactly one way of saying it must be there."""
    form = format_of(site.element)
    given = [name for name in columns if name not in (*_PLAIN, *_MASKS)]
    given += ["masks"] * any(name in columns for name in _MASKS)
    if len(given) != 1:
        what = " and ".join(given) or "nothing"
        ways = ", ".join(["xor (with and)", *names_by_hand(), "fault_graph"])
        raise FaultError(f"expected one of {ways}; got {what}")
    (way,) = given
    if columns.get("whole") and way != "fault_graph":
        raise FaultError("whole goes with fault_graph only")
    full = np.array([form.mask], dtype=np.uint64)
    if way == "fault_graph":
        return Masks(full, np.zeros(1, np.uint64))
    if way == "masks":
        keep = _from_hex(columns["and"]) & full if "and" in columns else full
        toggle = _from_hex(columns["xor"]) if "xor" in columns else np.zeros(1, np.uint64)
        return Masks(keep, toggle)
    model = by_hand(way)
    assert model is not None  # or the column would be unknown
    return model.masks(way, columns[way], site)


def _from_hex(texts: Sequence[str]) -> NDArray[np.uint64]:
    for text in texts:
        if not _HEX.fullmatch(text):
            raise FaultError(f"mask {text[:40]!r} is not a hexadecimal number of at most 64 bits")
    return np.array([int(text, 16) for text in texts], dtype=np.uint64)


def _hex(words: NDArray[np.uint64], digits: int) -> list[str]:
    return [f"{word:0{digits}x}" for word in words.tolist()]


def _listed(numbers: set[int]) -> str:
    return ", ".join(map(str, sorted(numbers)))
