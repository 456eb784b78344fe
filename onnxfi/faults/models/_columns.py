"""Columns: many faults of one site at once, and which bits they are about."""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from onnxfi.bits import ElementType, format_of
from onnxfi.errors import FaultError
from onnxfi.faults.models._scenario import FaultGraph, FaultGroup, one_graph


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Columns:
    """Faults on one site, one a row; several rows can belong to one fault number.

    Attributes:
        owner: int64 (r,), position in the array of numbers that the row belongs to; ascending.
        index: int64 (r,), flat element index within one sample.
        and_mask: uint64 (r,), bits kept, within the element's width.
        xor_mask: uint64 (r,), bits flipped afterwards, likewise.
        sample: int64 (r,), workload sample of each row, -1 for every sample; None when all are -1.
        graph: What becomes of the elements of all rows, in place of the masks; None for masks.
    """

    owner: NDArray[np.int64]
    index: NDArray[np.int64]
    and_mask: NDArray[np.uint64]
    xor_mask: NDArray[np.uint64]
    sample: NDArray[np.int64] | None = None
    graph: FaultGraph | None = None


class Touched(NamedTuple):
    """By fault number: the one bit it is about, and the one field.

    Attributes:
        bit: int64 (n,), -1 where several bits or elements (or none) are affected.
        field: str (n,), empty where bits of several fields (or none) are affected.
    """

    bit: NDArray[np.int64]
    field: NDArray[np.str_]


def touched(columns: Columns, owners: int, element: ElementType) -> Touched:
    """Bits that faults of one site are about.

    A bit counts as affected when the masks clear, set or flip it, whatever it holds.

    Args:
        columns: The faults, in columns.
        owners: Number of fault numbers they belong to.
        element: Element type of the site.
    """
    form = format_of(element)
    bits = (~columns.and_mask | columns.xor_mask) & np.uint64(form.mask)
    rows = np.bincount(columns.owner, minlength=owners)
    union = np.zeros(owners, dtype=np.uint64)
    np.bitwise_or.at(union, columns.owner, bits)
    single = (rows == 1) & (np.bitwise_count(union) == 1)
    # A power of two is exact in float64, so its exponent is the bit number.
    _, exponent = np.frexp(union.astype(np.float64))
    field = np.full(owners, "", dtype="<U9")
    for name, span in form.fields.items():
        mask = np.uint64(sum(1 << bit for bit in span))
        field[(union & mask == union) & (union != 0)] = name
    return Touched(np.where(single, exponent - 1, -1).astype(np.int64), field)


def single_bit(group: FaultGroup, element: ElementType) -> int | None:
    """The bit that a group of faults is about, if it is exactly one bit of one element."""
    return _only(group, element)[0]


def single_field(group: FaultGroup, element: ElementType) -> str | None:
    """The bit field that holds all bits a group of faults is about, if it is one field."""
    return _only(group, element)[1]


def _only(group: FaultGroup, element: ElementType) -> tuple[int | None, str | None]:
    owner = np.zeros(len(group), dtype=np.int64)
    columns = Columns(
        owner=owner, index=group.index, and_mask=group.and_mask, xor_mask=group.xor_mask
    )
    found = touched(columns, 1, element)
    bit, field = int(found.bit[0]), str(found.field[0])
    return (None if bit < 0 else bit), (field or None)


def in_one_group(site: str, parts: Sequence[Columns]) -> FaultGroup:
    """Faults of several models on one site, back in the order of the numbers they came from."""
    joined = parts[0]
    graph = one_graph(site, (part.graph for part in parts))
    if len(parts) > 1:
        owner = np.concatenate([part.owner for part in parts])
        order = np.argsort(owner, kind="stable")
        sample = None
        if any(part.sample is not None for part in parts):
            sample = np.concatenate([_samples(part) for part in parts])[order]
        joined = Columns(
            owner=owner[order],
            index=np.concatenate([part.index for part in parts])[order],
            and_mask=np.concatenate([part.and_mask for part in parts])[order],
            xor_mask=np.concatenate([part.xor_mask for part in parts])[order],
            sample=sample,
        )
    return FaultGroup(
        site=site,
        index=joined.index,
        and_mask=joined.and_mask,
        xor_mask=joined.xor_mask,
        sample=joined.sample,
        graph=graph,
    )


def in_groups(site: str, columns: Columns, owners: int) -> Iterator[FaultGroup]:
    """A group for each owner, in their order."""
    bounds = np.searchsorted(columns.owner, np.arange(owners + 1)).tolist()
    for start, stop in itertools.pairwise(bounds):
        yield FaultGroup(
            site=site,
            index=columns.index[start:stop],
            and_mask=columns.and_mask[start:stop],
            xor_mask=columns.xor_mask[start:stop],
            sample=None if columns.sample is None else columns.sample[start:stop],
            graph=columns.graph,
        )


def _samples(part: Columns) -> NDArray[np.int64]:
    return np.full(len(part.index), -1, np.int64) if part.sample is None else part.sample


def integer_column(name: str, values: Sequence[Any]) -> NDArray[np.int64]:
    """Whole numbers of a column of a fault list.

    Raises:
        FaultError: One is out of the range of 64 bits.
    """
    try:
        return np.array(values, dtype=np.int64)
    except OverflowError:
        raise FaultError(f"{name} has a number that is out of range") from None
