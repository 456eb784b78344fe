"""`tools/mutants.py`: every mistake has its one place, and is told from an innocent change."""

from __future__ import annotations

import ast
from dataclasses import replace
from pathlib import Path

import mutants
import pytest
from mutation import Mutant, MutantError, find, read_mutants

ROOT = Path(__file__).resolve().parents[2]
PACKAGE = ROOT / "onnxfi"
MUTANTS = read_mutants()

SOURCE = '''"""A package."""

LIMIT = 3


class Counter:
    def over(self, count: int) -> bool:
        return (
            count
            > LIMIT
        )
'''
MUTANT = Mutant(
    name="at-equality",
    why="the limit itself is over it",
    where="Counter.over",
    old="count > LIMIT",
    new="count >= LIMIT",
    tests=("tests/test_it.py",),
)


def test_every_mutant_has_one_place_and_tests_that_are_there():
    assert len({mutant.name for mutant in MUTANTS}) == len(MUTANTS) >= 80
    for mutant in MUTANTS:
        found = find(mutant, PACKAGE)
        assert ast.parse(found.mutated)
        assert found.mutated != (ROOT / found.path).read_text(encoding="utf-8")
        missing = [path for path in mutant.tests if not (ROOT / path).is_file()]
        assert not missing, f"{mutant.name}: {missing}"


@pytest.fixture
def package(tmp_path):
    folder = tmp_path / "onnxfi" / "room"
    folder.mkdir(parents=True)
    (folder / "_counter.py").write_text(SOURCE)
    return folder.parent


def test_a_place_is_found_by_name_and_text_however_lines_are_broken(package):
    found = find(MUTANT, package)
    assert found.path == Path("onnxfi/room/_counter.py")
    assert "count >= LIMIT\n" in found.mutated
    assert find(replace(MUTANT, where="Renamed.over"), package) == replace(
        found, mutant=replace(MUTANT, where="Renamed.over")
    )
    named = find(replace(MUTANT, where="LIMIT", old="3", new="4"), package)
    assert "LIMIT = 4\n" in named.mutated


@pytest.mark.parametrize(
    ("change", "said"),
    [({"old": "count < LIMIT"}, "is there 0 times"), ({"where": "Counter.under"}, "has no place")],
)
def test_a_mutant_that_has_lost_its_place_is_named(package, change, said):
    with pytest.raises(MutantError, match=f"mutant at-equality: .* {said}, expected once"):
        find(replace(MUTANT, **change), package)


def test_what_tests_notice_is_killed_and_the_copy_is_left_as_it_was(package, tmp_path):
    (package / "__init__.py").write_text("")
    (package / "room" / "__init__.py").write_text("from onnxfi.room._counter import Counter\n")
    tests = tmp_path / "tests"
    tests.mkdir()
    test = tests / "test_it.py"
    test.write_text(
        "from onnxfi.room import Counter\n\ndef test_it():\n    assert Counter().over(4)\n"
    )
    found = find(MUTANT, package)
    assert not mutants.try_mutant(found, tmp_path).killed
    test.write_text(test.read_text() + "    assert not Counter().over(3)\n")
    verdict = mutants.try_mutant(found, tmp_path)
    assert (verdict.killed, verdict.by) == (True, "tests/test_it.py::test_it")
    assert (package / "room" / "_counter.py").read_text() == SOURCE
