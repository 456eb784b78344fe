"""Data on stdout: JSON documents, JSON Lines, tables; and the overwrite rule for files."""

from __future__ import annotations

import contextlib
import sys
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

if TYPE_CHECKING:
    from rich.console import Console

    from onnxfi.report import Page


def print_document(verb: str, content: Mapping[str, Any]) -> None:
    """Print one JSON document, its schema ``onnxfi/<verb>/1`` first."""
    from onnxfi.report import json_text

    click.echo(json_text(verb, content).encode(), nl=False)


def print_lines(verb: str, header: Mapping[str, Any], rows: Iterable[Mapping[str, Any]]) -> None:
    """Stream JSON Lines: a header with the schema, then one line a row."""
    import msgspec

    encode = msgspec.json.Encoder().encode
    click.echo(encode({"schema": f"onnxfi/{verb}/1", **header}))
    for row in rows:
        click.echo(encode(row))


def print_page(page: Page) -> None:
    """Print a page of facts and tables; unwrapped where stdout is not a terminal."""
    from onnxfi.report import render_text

    terminal = sys.stdout.isatty()
    console = _console(terminal)
    with contextlib.ExitStack() as stack:
        held = None if terminal else stack.enter_context(console.capture())
        for renderable in render_text(page, console.width):
            console.print(renderable)
    if held is not None:
        # Cells are padded for the eye; in a file the padding is only noise.
        for line in held.get().splitlines():
            click.echo(line.rstrip())


def _console(terminal: bool) -> Console:
    """A console on stdout that never reads model names as markup."""
    from rich.console import Console

    return Console(
        file=sys.stdout,
        markup=False,
        highlight=False,
        emoji=False,
        # A pipe has no width: nothing may be cut or wrapped there.
        width=None if terminal else 1_000,
    )


def check_free(path: str, force: bool) -> None:
    """Refuse to overwrite a file without ``--force``; a folder always."""
    from onnxfi.errors import ConfigError

    target = Path(path)
    if target.is_dir():
        raise ConfigError(f"output '{path}' is a folder; name a file")
    if target.exists() and not force:
        raise ConfigError(f"output '{path}' exists already; --force overwrites it")
    if not target.parent.is_dir():
        raise ConfigError(f"output folder '{target.parent}' does not exist; make it first")
