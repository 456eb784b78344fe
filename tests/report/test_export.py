"""Result rows as files."""

from __future__ import annotations

import csv
import io
import json
from pathlib import Path
from typing import Any

import pytest

from onnxfi.files import atomic_text
from onnxfi.outcome import RECORD_COLUMNS
from onnxfi.report import write_csv, write_jsonl


def _row(number: int) -> dict[str, Any]:
    values: dict[str, Any] = dict.fromkeys(RECORD_COLUMNS, number)
    return values | {"correct": None, "metrics": {"iou": 0.5}, "worker": 'a,"b"\nc', "run_s": 0.1}


def test_csv_reads_back() -> None:
    file = io.StringIO()
    assert write_csv([_row(0), _row(1)], file) == 2
    file.seek(0)
    rows = list(csv.DictReader(file))
    assert tuple(rows[0]) == RECORD_COLUMNS
    assert [row["scenario"] for row in rows] == ["0", "1"]
    assert rows[1]["correct"] == ""
    assert rows[1]["worker"] == 'a,"b"\nc'
    assert float(rows[1]["run_s"]) == 0.1
    assert json.loads(rows[1]["metrics"]) == {"iou": 0.5}


def test_csv_of_nothing_is_its_header() -> None:
    file = io.StringIO()
    assert write_csv([], file) == 0
    assert file.getvalue() == ",".join(RECORD_COLUMNS) + "\n"


def test_jsonl_reads_back() -> None:
    file = io.StringIO()
    assert write_jsonl([_row(0), _row(1)], file) == 2
    assert [json.loads(line) for line in file.getvalue().splitlines()] == [_row(0), _row(1)]


def write_half(path: Path) -> None:
    with atomic_text(path) as file:
        file.write("half")
        file.write(None)  # type: ignore[arg-type]


def test_a_file_appears_whole_or_not_at_all(tmp_path: Path) -> None:
    path = tmp_path / "out.csv"
    path.write_text("old")
    with pytest.raises(TypeError):
        write_half(path)
    assert path.read_text() == "old"
    assert list(tmp_path.iterdir()) == [path]
    with atomic_text(path) as file:
        file.write("née\n")
        assert path.read_text() == "old"
    assert path.read_bytes() == "née\n".encode()
    assert list(tmp_path.iterdir()) == [path]
