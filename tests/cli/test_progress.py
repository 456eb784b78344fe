"""Progress where there is no terminal."""

from __future__ import annotations

from collections.abc import Callable

import click
import pytest
from click.testing import CliRunner

from onnxfi.campaign import Progress
from onnxfi.cli import Speed, Talk, describe, showing_progress


def _progress_at(done: int, elapsed_s: float, before: int = 0) -> Progress:
    return Progress(done=done, done_before=before, total=2_000, failures=37, elapsed_s=elapsed_s)


def test_speed_forgets_the_slow_start() -> None:
    speed = Speed()
    assert speed.take(_progress_at(100, 10.0, before=100)) == 0.0
    assert speed.take(_progress_at(110, 20.0, before=100)) == pytest.approx(0.5)
    for second in range(21, 120):
        latest = speed.take(_progress_at(110 + 50 * (second - 20), float(second), before=100))
    assert latest == pytest.approx(50, rel=0.05)


def test_speed_leaves_out_the_first_scenario_which_opens_sessions() -> None:
    speed = Speed()
    assert speed.take(_progress_at(1, 25.0)) == 0.0
    assert speed.take(_progress_at(101, 27.0)) == pytest.approx(50)


def test_progress_in_words() -> None:
    assert describe(_progress_at(1_000, 10.0), 50.0) == "37 failed, 50.0/s, 20.0 s left"
    assert describe(_progress_at(0, 0.0), 0.0) == "37 failed"
    assert describe(_progress_at(9, 0.0, before=9), 0.0) == "37 failed in this run"


@pytest.mark.parametrize(("every", "level", "lines"), [(0.0, 0, 3), (3600.0, 0, 0), (0.0, -1, 0)])
def test_lines_come_now_and_then_unless_quiet(
    bounds: Callable[..., None], every: float, level: int, lines: int
) -> None:
    bounds(line_every_s=every)

    @click.command()
    @click.pass_context
    def work(ctx: click.Context) -> None:
        ctx.obj = Talk(level=level)
        with showing_progress(2_000, 0) as update:
            for step in range(1, 4):
                update(_progress_at(step * 500, float(step)))

    result = CliRunner().invoke(work)
    assert result.stdout == ""
    shown = result.stderr.splitlines()
    assert len(shown) == lines
    assert all("of 2,000 injections, 37 failed, 500.0/s" in line for line in shown)
