"""How far a measurement is, step by step, on stderr: bars on a terminal, else lines."""

from __future__ import annotations

import contextlib
import sys
import time
from collections.abc import Callable, Iterator

import click

from onnxfi.cli._progress import LINE_EVERY_S
from onnxfi.cli._talk import talk

OnStep = Callable[[str, int, int], None]
"""Takes what is being done, how much of it is done, and how much there is."""


@contextlib.contextmanager
def showing_steps() -> Iterator[OnStep]:
    """Give a callback that shows progress until the block ends; silent with ``-q``."""
    if talk().level < 0:
        yield lambda _what, _done, _total: None
    elif sys.stderr.isatty():
        with _bars() as update:
            yield update
    else:
        yield _line_printer()


@contextlib.contextmanager
def _bars() -> Iterator[OnStep]:
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn

    columns = (TextColumn("{task.description}", markup=False), BarColumn(), MofNCompleteColumn())
    with Progress(*columns, console=Console(stderr=True)) as progress:
        tasks = {}

        def update(what: str, done: int, total: int) -> None:
            if what not in tasks:
                tasks[what] = progress.add_task(what, total=total)
            progress.update(tasks[what], completed=done, total=total)

        yield update


def _line_printer() -> OnStep:
    last = time.monotonic()

    def update(what: str, done: int, total: int) -> None:
        nonlocal last
        now = time.monotonic()
        if now - last >= LINE_EVERY_S:
            last = now
            click.echo(f"{what}: {done:,} of {total:,}", err=True)

    return update
