"""The tool that times the ordering of large fault spaces, on a small one."""

from __future__ import annotations

import order_speed


def test_every_case_is_measured(capsys):
    assert order_speed.main(["--faults", "64000", "-n", "50"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[0] == "64,000 faults, 50 scenarios"
    rows = [line.split(" | ") for line in lines[4:]]
    assert [row[0] for row in rows] == ["| importance"] * 3 + ["| top"] * 3
    assert [row[-1] for row in rows] == [f"{size} MiB |" for size in (0, 0, 0, 0, 0, 0)]


def test_memory_is_that_of_the_scores_and_the_draws():
    small, large = (order_speed.measure("top", "function", n, 100) for n in (10**5, 10**6))
    assert small.scores_bytes == large.scores_bytes == 0
    assert large.peak_bytes - small.peak_bytes < 30 * 2**20
