"""How far a run is, on stderr: a bar on a terminal, a line now and then elsewhere."""

from __future__ import annotations

import contextlib
import sys
import time
from collections import deque
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING

import click

from onnxfi.cli._talk import talk

if TYPE_CHECKING:
    from onnxfi.campaign import Progress

OnProgress = Callable[["Progress"], None]

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
