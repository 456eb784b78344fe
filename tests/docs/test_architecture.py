"""ARCHITECTURE.md speaks of files and functions that exist."""

from __future__ import annotations

import ast
import re
import tomllib
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
PAGE = (ROOT / "ARCHITECTURE.md").read_text(encoding="utf-8")
PROSE = re.sub(r"^```.*?^```$", "", PAGE, flags=re.DOTALL | re.MULTILINE)

# `engine/cut/_late.py: ArmedLate.faulty`, or a path alone.
NAMED = re.compile(r"`([\w/]+\.py)(?:: ([\w.]+))?`")


def _defined(path: Path) -> set[str]:
    """Functions and classes of a file, methods as ``Class.method``."""
    found = set()
    for node in ast.parse(path.read_text(encoding="utf-8")).body:
        if isinstance(node, ast.FunctionDef | ast.ClassDef):
            found.add(node.name)
        if isinstance(node, ast.ClassDef):
            methods = (each for each in node.body if isinstance(each, ast.FunctionDef))
            found.update(f"{node.name}.{each.name}" for each in methods)
    return found


def _file(name: str) -> Path:
    return next((p for p in (ROOT / "onnxfi" / name, ROOT / name) if p.is_file()), Path())


def test_every_file_and_function_exists():
    named = NAMED.findall(PROSE)
    assert len(named) > 20
    missing = [name for name, _ in named if not _file(name).is_file()]
    missing += [
        f"{name}: {function}"
        for name, function in named
        if function and _file(name).is_file() and function not in _defined(_file(name))
    ]
    assert not missing


def _layers(name: str) -> list[list[str]]:
    """Names of the packages and files in each layer of a contract, the highest first."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    contracts = project["tool"]["importlinter"]["contracts"]
    (layers,) = (each["layers"] for each in contracts if each["name"].startswith(name))
    return [re.findall(r"(\w+)\)?(?: \| |$)", layer) for layer in layers]


def test_rooms_are_those_of_the_package():
    rooms = {path.parent.name for path in (ROOT / "onnxfi").glob("*/__init__.py")}
    rows = set(re.findall(r"^\| `(\w+)` \|", PAGE, re.MULTILINE))
    assert rows == rooms | {"harden"}


def test_floors_are_those_of_the_contracts():
    (drawing,) = re.findall(r"^## Floors\n.*?^```\n(.*?)^```$", PAGE, re.DOTALL | re.MULTILINE)
    rooms = dict(re.findall(r"^(\w+)/.*\n((?: [├└].*\n)+)", drawing, re.MULTILINE))
    project = (ROOT / "pyproject.toml").read_text(encoding="utf-8")
    assert set(rooms) == set(re.findall(r'"Floors of (\w+)/"', project))
    for room, floors in rooms.items():
        drawn = re.findall(r"^ [├└] (\w+)/", floors, re.MULTILINE)
        layers = _layers(f"Floors of {room}/")
        assert drawn == [n for layer in layers for n in layer if not n.startswith("_")], room


def test_the_order_of_rooms_is_that_of_the_contract():
    order = _layers("One-way flow")
    for page in ("ARCHITECTURE.md", "CONTRIBUTING.md"):
        text = (ROOT / page).read_text(encoding="utf-8")
        (line,) = re.findall(r"^cli > .*$", text, re.MULTILINE)
        assert [re.findall(r"\w+", layer) for layer in line.split(" > ")] == order, page
