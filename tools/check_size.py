"""Hold the size budget: no file over 400 lines, no function over 70, files short on the whole."""

from __future__ import annotations

import ast
import statistics
import sys
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
FILE_LINES = 400
FUNCTION_LINES = 70
MEDIAN_FILE_LINES = 150


def _oversized_functions(path: Path, tree: ast.Module) -> Iterator[str]:
    for node in ast.walk(tree):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            lines = (node.end_lineno or node.lineno) - node.lineno + 1
            if lines > FUNCTION_LINES:
                where = f"{path}:{node.lineno}"
                yield f"{where}: {node.name} has {lines} lines, at most {FUNCTION_LINES}"


def _undescribed(path: Path, tree: ast.Module) -> Iterator[str]:
    docstring = ast.get_docstring(tree)
    if not docstring:
        yield f"{path}: no docstring says what the file is for"


def _check_file(path: Path) -> tuple[int, list[str]]:
    text = path.read_text(encoding="utf-8")
    tree = ast.parse(text)
    lines = text.count("\n")
    shown = path.relative_to(ROOT)
    problems = list(_oversized_functions(shown, tree))
    if shown.parts[0] != "tests":  # a test file's name mirrors the file that it tests
        problems += _undescribed(shown, tree)
    if lines > FILE_LINES:
        problems.append(f"{shown}: {lines} lines, at most {FILE_LINES}")
    return lines, problems


def main() -> int:
    """Print every breach; return 1 if there is one."""
    problems: list[str] = []
    package_lines: list[int] = []
    for folder in ("onnxfi", "tools", "tests"):
        for path in sorted((ROOT / folder).rglob("*.py")):
            lines, found = _check_file(path)
            problems += found
            if folder == "onnxfi" and path.name != "__init__.py":
                package_lines.append(lines)
    median = statistics.median(package_lines)
    if median > MEDIAN_FILE_LINES:
        problems.append(f"onnxfi: median file has {median} lines, at most {MEDIAN_FILE_LINES}")
    print("\n".join(problems) or f"size budget held: median file {median:.0f} lines")
    return 1 if problems else 0


if __name__ == "__main__":
    sys.exit(main())
