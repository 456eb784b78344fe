"""The result store."""

from __future__ import annotations

import os
import sqlite3
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from onnxfi.campaign import ResultStore, create_store
from onnxfi.errors import StoreError
from onnxfi.outcome import InjectionRecord, MetricSum, OutcomeCounts


def _record(scenario: int, critical: int = 1) -> InjectionRecord:
    counts = OutcomeCounts(
        samples=10,
        masked=9 - critical,
        tolerable=1,
        critical=critical,
        correct=5,
        metrics={"m": MetricSum(samples=10, total=2.5)},
    )
    return InjectionRecord(
        scenario=scenario, counts=counts, run_s=0.25, worker="w", finished_at="2026-01-01T00:00:00"
    )


@pytest.fixture
def store(tmp_path: Path):
    create_store(tmp_path / "r.sqlite", "id")
    with ResultStore(tmp_path / "r.sqlite", "id") as opened:
        yield opened


def test_records_come_back_as_they_were_in_scenario_order(store):
    store.add([_record(2), _record(0)])
    assert list(store.records()) == [_record(0), _record(2)]
    assert list(store.records(below=1)) == [_record(0)]
    assert store.done() == {0, 2}


def test_a_stored_row_is_never_replaced(store):
    store.add([_record(0, critical=1)])
    store.add([_record(0, critical=5)])
    assert list(store.records()) == [_record(0, critical=1)]


def test_attempts_are_counted_apart(store):
    store.add_attempt([3, 4], "boom")
    store.add_attempt([4], "bang")
    assert store.attempts() == 2
    assert store.done() == set()


@given(st.sets(st.integers(0, 30)))
@settings(max_examples=40)
def test_progress_counts_rows_and_the_rows_before_the_first_gap(numbers):
    import tempfile

    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "r.sqlite"
        create_store(path, "id")
        with ResultStore(path, "id") as store:
            store.add(map(_record, numbers))
            progress = store.progress()
    gap = next(k for k in range(32) if k not in numbers)
    assert (progress.done, progress.prefix) == (len(numbers), gap)


def test_stores_of_other_campaigns_and_versions_are_refused(tmp_path):
    path = tmp_path / "r.sqlite"
    create_store(path, "mine")
    with pytest.raises(StoreError, match="belongs to campaign mine"):
        ResultStore(path, "yours")
    with sqlite3.connect(path) as connection:
        connection.execute("UPDATE meta SET value = '99' WHERE key = 'schema_version'")
    connection.close()
    with pytest.raises(StoreError, match="schema version 99"):
        ResultStore(path, "mine")


def test_an_archive_that_nobody_may_write_can_be_read(tmp_path, monkeypatch):
    path = tmp_path / "r.sqlite"
    create_store(path, "id")
    with ResultStore(path, "id") as store:
        store.add([_record(0)])
    # As root, no mode bit makes a folder read-only: what the system says is replaced.
    monkeypatch.setattr(os, "access", lambda _path, _mode: False)
    before = sorted(tmp_path.iterdir())
    with ResultStore(path, "id") as store:
        assert list(store.records()) == [_record(0)]
        assert sorted(tmp_path.iterdir()) == before
        with pytest.raises(sqlite3.OperationalError, match="readonly"):
            store.add([_record(1)])
