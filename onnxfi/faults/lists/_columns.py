"""The columns of a fault list file: for each its name, its type and what it says."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any

import msgspec

from onnxfi.errors import FaultError
from onnxfi.faults.models import FAULT_MODELS, WrittenByHand
from onnxfi.plugins import unknown_name


@dataclass(frozen=True, slots=True, kw_only=True)
class FaultColumn:
    """A column of the faults at one site.

    Attributes:
        name: Its key in the file.
        type: JSON type of its values.
        help: What it says, as a phrase.
        rows: Whether it has a value for each fault; a single one then holds for all.
        required: Whether it must be there.
    """

    name: str
    type: Any
    help: str
    rows: bool = True
    required: bool = False
    _checked: Any = field(init=False, repr=False)

    def __post_init__(self) -> None:
        kind: Any = self.type
        object.__setattr__(self, "_checked", kind | list[kind] if self.rows else kind)

    def read(self, value: Any) -> Any:
        """A value of the file, checked; a list with a value for each row where there are rows.

        Raises:
            FaultError: It is not of the column's type.
        """
        try:
            found = msgspec.convert(value, self._checked)
        except msgspec.ValidationError as error:
            raise FaultError(f"column {self.name!r}: {error}") from None
        return [found] if self.rows and not isinstance(found, list) else found


_COLUMNS = (
    FaultColumn(name="site", type=str, help="where", rows=False, required=True),
    FaultColumn(name="index", type=int, help="flat index of the element", required=True),
    FaultColumn(name="and", type=str, help="bits that are kept, hexadecimal; by default all"),
    FaultColumn(name="xor", type=str, help="bits that are flipped afterwards, hexadecimal"),
    FaultColumn(name="sample", type=int, help="sample of the workload; -1 for every one"),
    FaultColumn(name="step", type=int, help="time step or iteration; -1 for every one"),
    FaultColumn(name="fault_graph", type=str, help="sha256 of a graph of the header", rows=False),
    FaultColumn(name="whole", type=bool, help="the graph acts on the whole tensor", rows=False),
)
COLUMNS = MappingProxyType({column.name: column for column in _COLUMNS})
"""Columns that are not named after a fault model."""


def column_of(name: str) -> FaultColumn:
    """The column of a name: one of :data:`COLUMNS`, or one that a fault model brings.

    Raises:
        FaultError: There is none; the message has the nearest name.
    """
    found = COLUMNS.get(name)
    if found is not None:
        return found
    model = by_hand(name)
    if model is None:
        raise FaultError(unknown_name("column", name, (*COLUMNS, *names_by_hand())))
    return FaultColumn(name=name, type=model.column, help=model.help)


def by_hand(name: str) -> WrittenByHand | None:
    """The class of the fault model that brings the column of a name; None if none does."""
    model: Any = FAULT_MODELS.get(name) if name in FAULT_MODELS else None
    return model if isinstance(model, WrittenByHand) else None


def names_by_hand() -> tuple[str, ...]:
    """Names of the columns that fault models bring for lists written by hand."""
    return tuple(name for name in FAULT_MODELS.names() if by_hand(name) is not None)


def read_columns(entry: Mapping[str, Any]) -> dict[str, Any]:
    """The columns of an entry, checked one by one; those that are null are left out.

    Raises:
        FaultError: A column is unknown, missing, or of another type.
    """
    found = {
        name: column_of(name).read(value)
        for name, value in entry.items()
        if value is not None or column_of(name).required
    }
    for column in COLUMNS.values():
        if column.required and column.name not in found:
            raise FaultError(
                f"column {column.name!r} is missing; every fault has a site and an index"
            )
    return found
