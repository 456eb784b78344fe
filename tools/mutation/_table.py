"""The table of mutants, ``mutants.toml``."""

from __future__ import annotations

import tomllib
from dataclasses import dataclass
from pathlib import Path

TABLE = Path(__file__).with_name("mutants.toml")


@dataclass(frozen=True, slots=True, kw_only=True)
class Mutant:
    """One mistake.

    Attributes:
        name: Short and unique.
        why: What it would do.
        where: The function, ``Class.method`` or module-level name that it is in, wherever in the
            package that lies.
        old: Text that is in there exactly once, however it is broken into lines.
        new: What takes its place.
        tests: Test files that are to notice it.
    """

    name: str
    why: str
    where: str
    old: str
    new: str
    tests: tuple[str, ...]


def read_mutants(table: Path = TABLE) -> list[Mutant]:
    """All mutants of a table."""
    rows = tomllib.loads(table.read_text(encoding="utf-8"))["mutant"]
    return [Mutant(**(row | {"tests": tuple(row["tests"])})) for row in rows]
