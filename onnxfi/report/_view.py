"""What a report shows, before it is decided how: facts, tables, notes, all of them plain text."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from onnxfi.analysis import Interval


@dataclass(frozen=True, slots=True, kw_only=True)
class Column:
    """A column of a table.

    Attributes:
        title: Its heading.
        number: Whether its cells are numbers, to be set flush right.
        optional: Whether a narrow terminal may leave it out.
    """

    title: str
    number: bool = True
    optional: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """One line of a table.

    Attributes:
        cells: Texts, one a column.
        interval: The rate that a renderer may draw beside the cells; None for no drawing.
    """

    cells: tuple[str, ...]
    interval: Interval | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class TableView:
    """A table.

    Attributes:
        title: What it tells.
        columns: Its columns.
        rows: Its lines, in the order to be shown.
        note: A sentence below it, or empty.
        left_out: Lines that were cut off its end.
    """

    title: str
    columns: tuple[Column, ...]
    rows: tuple[Row, ...]
    note: str = ""
    left_out: int = 0

    def without(self, dropped: int) -> TableView:
        """The table without one of its columns."""
        rows = tuple(
            replace(row, cells=row.cells[:dropped] + row.cells[dropped + 1 :]) for row in self.rows
        )
        columns = self.columns[:dropped] + self.columns[dropped + 1 :]
        return replace(self, columns=columns, rows=rows)

    @property
    def drawn(self) -> bool:
        """Whether any line has an interval to draw."""
        return any(row.interval is not None for row in self.rows)


@dataclass(frozen=True, slots=True, kw_only=True)
class Fact:
    """A labelled value, such as ``model: resnet8.onnx``."""

    label: str
    text: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Page:
    """A whole report.

    Attributes:
        title: Its heading.
        facts: What was measured, and how.
        tables: What came out.
        notes: What a reader must know to trust the numbers.
    """

    title: str
    facts: tuple[Fact, ...]
    tables: tuple[TableView, ...]
    notes: tuple[str, ...] = ()
