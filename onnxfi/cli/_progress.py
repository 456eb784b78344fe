"""How far a run or a measurement is, on stderr: bars on a terminal, else lines now and then."""

from __future__ import annotations

import contextlib
import sys
import time
from collections import deque
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING

import click

from onnxfi.cli._output import talk

if TYPE_CHECKING:
    from onnxfi.campaign import Progress


OnProgress = Callable[["Progress"], None]
OnStep = Callable[[str, int, int], None]
"""Takes what is being done, how much of it is done, and how much there is."""

#: Seconds between two lines where there is no terminal.
LINE_EVERY_S = 10.0
#: Seconds over which the speed is measured; the first scenarios also pay for sessions.
SPEED_OVER_S = 30.0


class Speed:
    """Injections a second, over the last half minute."""

    def __init__(self) -> None:
        self._seen: deque[tuple[float, int]] = deque([(0.0, 0)])

    def take(self, progress: Progress) -> float:
        """Take note of a progress and return the speed now, 0 before it is known."""
        done = progress.done - progress.done_before
        if done == 1:  # alone, it tells how long sessions take to open, and that only once
            self._seen = deque([(progress.elapsed_s, done)])
            return 0.0
        self._seen.append((progress.elapsed_s, done))
        while len(self._seen) > 2 and self._seen[0][0] < progress.elapsed_s - SPEED_OVER_S:
            self._seen.popleft()
        since, before = self._seen[0]
        elapsed = progress.elapsed_s - since
        return (done - before) / elapsed if elapsed > 0 else 0.0


def describe(progress: Progress, speed: float) -> str:
    """``37 failed, 52.1/s, 16.0 s left``; what is not known yet is left out."""
    from onnxfi.report import count_text, duration_text

    # Failures stored by earlier runs are not known here.
    where = " in this run" if progress.done_before else ""
    parts = [f"{count_text(progress.failures)} failed{where}"]
    if speed > 0:
        left = (progress.total - progress.done) / speed
        parts += [f"{speed:.1f}/s", f"{duration_text(left)} left"]
    return ", ".join(parts)


@contextlib.contextmanager
def showing_progress(total: int, done: int) -> Iterator[OnProgress]:
    """Give a callback that shows progress until the block ends; silent with ``-q``."""
    if talk().level < 0:
        yield lambda _progress: None
    elif sys.stderr.isatty():
        with _bar(total, done) as update:
            yield update
    else:
        yield _line_printer()


@contextlib.contextmanager
def _bar(total: int, done: int) -> Iterator[OnProgress]:
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, TextColumn
    from rich.progress import Progress as Bar

    speed = Speed()
    columns = (BarColumn(), MofNCompleteColumn(), TextColumn("{task.description}", markup=False))
    with Bar(*columns, console=Console(stderr=True)) as bar:
        task = bar.add_task("", total=total, completed=done)

        def update(progress: Progress) -> None:
            text = describe(progress, speed.take(progress))
            bar.update(task, completed=progress.done, description=text)

        yield update


def _line_printer() -> OnProgress:
    speed = Speed()
    last = time.monotonic()

    def update(progress: Progress) -> None:
        nonlocal last
        now, text = time.monotonic(), describe(progress, speed.take(progress))
        if now - last >= LINE_EVERY_S:
            last = now
            click.echo(f"{progress.done:,} of {progress.total:,} injections, {text}", err=True)

    return update


@contextlib.contextmanager
def showing_steps() -> Iterator[OnStep]:
    """Give a callback that shows progress until the block ends; silent with ``-q``."""
    if talk().level < 0:
        yield lambda _what, _done, _total: None
    elif sys.stderr.isatty():
        with _step_bars() as update:
            yield update
    else:
        yield _step_lines()


@contextlib.contextmanager
def _step_bars() -> Iterator[OnStep]:
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


def _step_lines() -> OnStep:
    last = time.monotonic()

    def update(what: str, done: int, total: int) -> None:
        nonlocal last
        now = time.monotonic()
        if now - last >= LINE_EVERY_S:
            last = now
            click.echo(f"{what}: {done:,} of {total:,}", err=True)

    return update
