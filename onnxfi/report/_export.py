"""Result rows as CSV or JSON Lines."""

from __future__ import annotations

import csv
from collections.abc import Iterable, Mapping
from typing import Any, TextIO

import msgspec

from onnxfi.outcome import RECORD_COLUMNS


def write_jsonl(rows: Iterable[Mapping[str, Any]], file: TextIO) -> int:
    """Write one JSON object a line; returns how many."""
    encode = msgspec.json.Encoder().encode
    count = 0
    for row in rows:
        file.write(encode(row).decode() + "\n")
        count += 1
    return count


def write_csv(rows: Iterable[Mapping[str, Any]], file: TextIO) -> int:
    """Write a header and one line a row; returns how many rows.

    Nested values (faults, metrics) are written as JSON text, None as an empty field.

    Args:
        rows: The rows, with the keys of ``RECORD_COLUMNS``.
        file: Where to write.
    """
    encode = msgspec.json.Encoder().encode
    writer = csv.writer(file, lineterminator="\n")
    writer.writerow(RECORD_COLUMNS)
    count = 0
    for row in rows:
        count += 1
        cells = (row[name] for name in RECORD_COLUMNS)
        writer.writerow(
            encode(cell).decode() if isinstance(cell, Mapping | list | tuple) else cell
            for cell in cells
        )
    return count
