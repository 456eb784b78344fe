"""The result store: one SQLite row an injection, written by the coordinating process alone."""

from __future__ import annotations

import json
import os
import sqlite3
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType

from onnxfi.errors import StoreError
from onnxfi.outcome import (
    COUNT_COLUMNS,
    MONITORS,
    RECORD_COLUMNS,
    SPIKES,
    GraphUse,
    InjectionRecord,
    OutcomeCounts,
    metrics_from,
    spikes_from,
    statistics_from,
)

SCHEMA_VERSION = 2

_SCHEMA = f"""
CREATE TABLE meta (key TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID;
CREATE TABLE results (
    scenario INTEGER PRIMARY KEY,
    {", ".join(f"{name} INTEGER NOT NULL" for name in COUNT_COLUMNS[:-1])},
    correct INTEGER,
    metrics TEXT NOT NULL,
    run_s REAL NOT NULL,
    worker TEXT NOT NULL,
    finished_at TEXT NOT NULL,
    graph INTEGER REFERENCES graphs
);
CREATE TABLE graphs (
    id INTEGER PRIMARY KEY,
    graph TEXT NOT NULL,
    reason TEXT NOT NULL,
    compared INTEGER NOT NULL,
    differing INTEGER NOT NULL,
    UNIQUE (graph, reason, compared, differing)
);
CREATE TABLE attempts (
    id INTEGER PRIMARY KEY,
    scenario INTEGER NOT NULL,
    error TEXT NOT NULL,
    at TEXT NOT NULL DEFAULT (strftime('%Y-%m-%dT%H:%M:%fZ', 'now'))
);
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class StoreProgress:
    """How far a store has come: rows in all, and rows before the first gap."""

    done: int
    prefix: int


def create_store(path: Path, identity: str) -> None:
    """Make an empty store for the campaign of this identity."""
    with sqlite3.connect(path) as connection:
        connection.execute("PRAGMA journal_mode=WAL")
        connection.executescript(_SCHEMA)
        connection.executemany(
            "INSERT INTO meta VALUES (?, ?)",
            [("schema_version", str(SCHEMA_VERSION)), ("identity", identity)],
        )
    connection.close()


class ResultStore:
    """An open result store; use it as a context manager."""

    def __init__(self, path: Path, identity: str) -> None:
        """Open the store of a campaign.

        Raises:
            StoreError: It is missing, damaged, of another version, or of another campaign.
        """
        if not path.is_file():
            raise StoreError(f"{path} is missing; the campaign's results are gone, make a new one")
        self._path = path
        self._connection = _connect(path)
        try:
            self._check_meta(identity)
        except BaseException:
            self._connection.close()
            raise

    def _check_meta(self, identity: str) -> None:
        try:
            meta = dict(self._connection.execute("SELECT key, value FROM meta"))
        except sqlite3.DatabaseError as error:
            raise StoreError(
                f"{self._path} is not a readable result store ({error}); restore it from a copy"
            ) from error
        version = meta.get("schema_version")
        if version != str(SCHEMA_VERSION):
            raise StoreError(
                f"{self._path} has schema version {version}, this onnxfi reads {SCHEMA_VERSION}; "
                "use the onnxfi that made it"
            )
        if meta.get("identity") != identity:
            raise StoreError(
                f"{self._path} belongs to campaign {meta.get('identity', '?')[:12]}, not to "
                f"{identity[:12]}; don't mix files of campaign folders"
            )

    def __enter__(self) -> ResultStore:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def close(self) -> None:
        """Close the database."""
        self._connection.close()

    def add(self, records: Iterable[InjectionRecord]) -> None:
        """Store records in one transaction; a scenario that is stored already is left as it is."""
        columns = (*RECORD_COLUMNS, "graph")
        marks = ", ".join("?" * len(columns))
        with self._connection:
            self._connection.executemany(
                f"INSERT OR IGNORE INTO results ({', '.join(columns)}) VALUES ({marks})",
                [(*_row(record), self._graph_id(record.graph)) for record in records],
            )

    def _graph_id(self, use: GraphUse | None) -> int | None:
        """The number of a graph in this store, which it is given when it is first met."""
        if use is None:
            return None
        values = (use.graph, use.reason, use.compared, use.differing)
        self._connection.execute(
            "INSERT OR IGNORE INTO graphs (graph, reason, compared, differing) VALUES (?, ?, ?, ?)",
            values,
        )
        found = self._connection.execute(
            "SELECT id FROM graphs WHERE (graph, reason, compared, differing) = (?, ?, ?, ?)",
            values,
        )
        return int(found.fetchone()[0])

    def graphs(self) -> dict[GraphUse, list[int]]:
        """The graphs that stored injections ran in, with the scenarios of each, ascending."""
        rows = self._connection.execute(
            "SELECT g.graph, g.reason, g.compared, g.differing, r.scenario FROM results r"
            " JOIN graphs g ON g.id = r.graph ORDER BY r.scenario"
        )
        found: dict[GraphUse, list[int]] = {}
        for graph, reason, compared, differing, scenario in rows:
            use = GraphUse(graph=graph, reason=reason, compared=compared, differing=differing)
            found.setdefault(use, []).append(scenario)
        return found

    def add_attempt(self, scenarios: Sequence[int], error: str) -> None:
        """Note that the machinery failed once, on these scenarios; they stay pending."""
        others = len(scenarios) - 1
        with self._connection:
            self._connection.execute(
                "INSERT INTO attempts (scenario, error) VALUES (?, ?)",
                (scenarios[0], f"{error} (with {others} others)" if others else error),
            )

    def looks(self) -> tuple[int, ...]:
        """Scenarios that stop rules have looked at results with, ascending; see `set_looks`."""
        found = self._connection.execute("SELECT value FROM meta WHERE key = 'looks'").fetchone()
        return () if found is None else tuple(json.loads(found[0]))

    def set_looks(self, looks: Sequence[int]) -> None:
        """Note with how many scenarios results were looked at to decide whether to go on."""
        with self._connection:
            self._connection.execute(
                "INSERT OR REPLACE INTO meta VALUES ('looks', ?)", (json.dumps(list(looks)),)
            )

    def attempts(self) -> int:
        """Number of machinery failures noted."""
        return int(self._connection.execute("SELECT count(*) FROM attempts").fetchone()[0])

    def mean_run_s(self) -> float | None:
        """Seconds of the mean injection stored; None if there is none."""
        found = self._connection.execute("SELECT avg(run_s) FROM results").fetchone()
        return None if found[0] is None else float(found[0])

    def done(self) -> set[int]:
        """Numbers of the stored scenarios."""
        return {row[0] for row in self._connection.execute("SELECT scenario FROM results")}

    def progress(self) -> StoreProgress:
        """Rows stored, and rows before the first scenario that is not stored."""
        done, highest = self._connection.execute(
            "SELECT count(*), coalesce(max(scenario), -1) FROM results"
        ).fetchone()
        if done == highest + 1:
            return StoreProgress(done=done, prefix=done)
        # Row i (0-based, by scenario) holds scenario i up to the first gap, never behind it.
        gap = self._connection.execute(
            "SELECT min(place) FROM (SELECT scenario, row_number() OVER (ORDER BY scenario) - 1 "
            "AS place FROM results) WHERE scenario <> place"
        ).fetchone()[0]
        return StoreProgress(done=done, prefix=int(gap))

    def record(self, scenario: int) -> InjectionRecord | None:
        """The stored record of a scenario, None if it is pending."""
        query = f"SELECT {', '.join(RECORD_COLUMNS)} FROM results WHERE scenario = ?"
        row = self._connection.execute(query, (scenario,)).fetchone()
        return None if row is None else _record(row)

    def records(self, below: int | None = None) -> Iterator[InjectionRecord]:
        """Stored records in scenario order, of scenarios below ``below`` if it is given."""
        query = f"SELECT {', '.join(RECORD_COLUMNS)} FROM results"
        limit = () if below is None else (below,)
        where = "" if below is None else " WHERE scenario < ?"
        for row in self._connection.execute(f"{query}{where} ORDER BY scenario", limit):
            yield _record(row)


def _connect(path: Path) -> sqlite3.Connection:
    """Open the database; also where nothing may be written, such as an archive."""
    journal = path.with_name(f"{path.name}-wal")
    if os.access(path.parent, os.W_OK) or journal.exists():
        return sqlite3.connect(path, timeout=30.0)
    # Even reading makes SQLite write a journal beside the file, unless it is told that nobody else
    # will change it. With a journal left over that would hide rows.
    return sqlite3.connect(f"{path.absolute().as_uri()}?immutable=1", uri=True)


def _row(record: InjectionRecord) -> tuple[object, ...]:
    return (
        record.scenario,
        *(getattr(record.counts, name) for name in COUNT_COLUMNS),
        json.dumps(record.metrics, sort_keys=True),
        record.run_s,
        record.worker,
        record.finished_at,
    )


def _record(row: tuple[object, ...]) -> InjectionRecord:
    values = dict(zip(RECORD_COLUMNS, row, strict=True))
    metrics = json.loads(str(values["metrics"]))
    monitors = statistics_from(metrics.pop(MONITORS, {}))
    spikes = spikes_from(metrics.pop(SPIKES, {}))
    counts = OutcomeCounts(
        **{name: values[name] for name in COUNT_COLUMNS},  # type: ignore[arg-type]
        metrics=metrics_from(metrics),
    )
    return InjectionRecord(
        scenario=values["scenario"],  # type: ignore[arg-type]
        counts=counts,
        run_s=values["run_s"],  # type: ignore[arg-type]
        worker=str(values["worker"]),
        finished_at=str(values["finished_at"]),
        monitors=monitors,
        spikes=spikes,
    )
