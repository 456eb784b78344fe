"""What a command says beside its data: notes on stderr, as loud as -v and -q ask for."""

from __future__ import annotations

import contextlib
import logging
from collections.abc import Iterator
from dataclasses import dataclass

import click

_LOGGER = "onnxfi"


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
