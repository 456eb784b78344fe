"""Sections of a documentation page that can be run: their commands, and the scripts they quote."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

_FENCED = re.compile(r"^```(\w*)\n(.*?)^```$", re.DOTALL | re.MULTILINE)
_SCRIPT = re.compile(r"^\[`([\w/.]+\.py)`\]\([^)]*\):\n\n```python\n(.*?)^```$", re.DOTALL | re.M)


@dataclass(frozen=True, slots=True, kw_only=True)
class Section:
    """A section of a page.

    Attributes:
        heading: Its heading.
        commands: Lines of its fenced blocks without a language, in order.
        scripts: Scripts that it quotes: path in the project, and the text quoted.
    """

    heading: str
    commands: tuple[str, ...]
    scripts: tuple[tuple[str, str], ...]


def sections(page: Path) -> dict[str, Section]:
    """The sections of a page that hold commands, by heading (second level)."""
    parts = re.split(r"^## (.+)$", page.read_text(encoding="utf-8"), flags=re.MULTILINE)[1:]
    found = {}
    for heading, text in zip(parts[::2], parts[1::2], strict=True):
        blocks = (body for language, body in _FENCED.findall(text) if not language)
        lines = tuple(line for body in blocks for line in body.strip().splitlines())
        if lines:
            scripts = tuple(_SCRIPT.findall(text))
            found[heading] = Section(heading=heading, commands=lines, scripts=scripts)
    return found
