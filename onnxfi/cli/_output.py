"""What a command says: data on stdout, notes on stderr; and the overwrite rule for files."""

from __future__ import annotations

import contextlib
import logging
import sys
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

if TYPE_CHECKING:
    from rich.console import Console

    from onnxfi.report import Page

_LOGGER = "onnxfi"


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


@dataclass(slots=True)
class Talk:
    """How much is said; lives in ``ctx.obj`` of the root context for one command line.

    Attributes:
        level: 0 by default, plus one for each ``-v``, minus one for each ``-q``.
        debug: Whether tracebacks and debug records are shown.
    """

    level: int = 0
    debug: bool = False


def talk() -> Talk:
    """The settings of the command line being carried out."""
    obj = click.get_current_context().find_root().ensure_object(Talk)
    assert isinstance(obj, Talk)
    return obj


def note(message: str) -> None:
    """Say something worth knowing on stderr, unless ``-q``."""
    if talk().level >= 0:
        click.echo(message, err=True)


def detail(message: str) -> None:
    """Say something on stderr only with ``-v``."""
    if talk().level > 0:
        click.echo(message, err=True)


@contextlib.contextmanager
def telling_of_records(ctx: click.Context) -> Iterator[None]:
    """Show the package's log records on stderr: warnings, with ``-v`` more, with ``-vv`` all."""
    logger, handler = logging.getLogger(_LOGGER), _Records(ctx)
    before = logger.level
    logger.addHandler(handler)
    logger.setLevel(logging.DEBUG)
    try:
        yield
    finally:
        logger.removeHandler(handler)
        logger.setLevel(before)


class _Records(logging.Handler):
    """Log records, as loud as the command line asks for at the time.

    Args:
        ctx: The root context.
    """

    def __init__(self, ctx: click.Context) -> None:
        super().__init__()
        self._ctx = ctx

    def emit(self, record: logging.LogRecord) -> None:
        """Show a record, if it is loud enough."""
        said = self._ctx.find_root().ensure_object(Talk)
        assert isinstance(said, Talk)
        # -q leaves errors, nothing warnings, -v what is worth knowing, -vv everything.
        least = logging.DEBUG if said.debug else logging.WARNING - 10 * said.level
        if record.levelno >= least:
            warning = "warning: " if record.levelno >= logging.WARNING else ""
            click.echo(f"{warning}{record.getMessage()}", err=True)
