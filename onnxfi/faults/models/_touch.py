"""Touched bits: which single bit, or which bit field, a fault is about."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from onnxfi.bits import ElementType, format_of
from onnxfi.faults.models._model import Columns
from onnxfi.faults.models._scenario import FaultGroup


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
