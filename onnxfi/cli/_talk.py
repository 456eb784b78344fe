"""What a command says beside its data: notes on stderr, as loud as -v and -q ask for."""

from __future__ import annotations

from dataclasses import dataclass

import click


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
