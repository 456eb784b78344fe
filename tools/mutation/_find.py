"""Finds the place of a mutant in the package by name and text, not by file and line."""

from __future__ import annotations

import ast
import functools
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from mutation._table import Mutant

Definition = ast.FunctionDef | ast.ClassDef | ast.Assign | ast.AnnAssign


class MutantError(Exception):
    """A mutant has no place, or several."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Found:
    """A mutant and its place.

    Attributes:
        mutant: The mutant.
        path: The file, relative to the folder that the package lies in.
        mutated: The whole file with the mistake in it.
    """

    mutant: Mutant
    path: Path
    mutated: str


def find(mutant: Mutant, package: Path) -> Found:
    """The one place of a mutant in a package.

    Raises:
        MutantError: The text is not there exactly once.
    """
    # Formatting may break lines elsewhere; what the tokens are stays.
    pattern = re.compile(r"\s+".join(map(re.escape, mutant.old.split())))
    places = []
    known, method = _definitions(package), mutant.where.rpartition(".")[2]
    # A class that has another name now is none of the mutant's business.
    definitions = known.get(mutant.where) or [
        place
        for name, found in known.items()
        if "." in mutant.where and name.rpartition(".")[2] == method
        for place in found
    ]
    for path, start, stop in definitions:
        text = path.read_text(encoding="utf-8")
        for match in pattern.finditer(text, start, stop):
            changed = text[: match.start()] + mutant.new.strip() + text[match.end() :]
            places.append((path.relative_to(package.parent), changed))
    if len(places) != 1:
        what = f"is there {len(places)} times" if definitions else "has no place"
        raise MutantError(
            f"mutant {mutant.name}: {mutant.old!r} in {mutant.where} {what}, expected once;"
            " if the code has changed, change tools/mutation/mutants.toml with it"
        )
    ((path, mutated),) = places
    return Found(mutant=mutant, path=path, mutated=mutated)


@functools.cache
def _definitions(package: Path) -> dict[str, list[tuple[Path, int, int]]]:
    """File, start and end of every function, class and module-level name."""
    found: dict[str, list[tuple[Path, int, int]]] = {}
    for path in sorted(package.rglob("*.py")):
        text = path.read_text(encoding="utf-8")
        starts = [0]
        for line in text.splitlines(keepends=True):
            starts.append(starts[-1] + len(line))
        for name, node in _named(ast.parse(text), ""):
            # Whole lines: offsets within a line count bytes, and decorators are left out.
            place = (path, starts[node.lineno - 1], starts[node.end_lineno or node.lineno])
            found.setdefault(name, []).append(place)
    return found


def _named(tree: ast.AST, prefix: str) -> Iterator[tuple[str, Definition]]:
    for node in ast.iter_child_nodes(tree):
        if isinstance(node, ast.FunctionDef | ast.ClassDef):
            yield prefix + node.name, node
            if isinstance(node, ast.ClassDef):
                yield from _named(node, f"{prefix}{node.name}.")
        elif isinstance(node, ast.Assign):
            for target in node.targets:
                if isinstance(target, ast.Name):
                    yield prefix + target.id, node
        elif isinstance(node, ast.AnnAssign) and isinstance(node.target, ast.Name):
            yield prefix + node.target.id, node
