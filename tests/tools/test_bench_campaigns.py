"""`tools/bench_campaigns.py` runs and prints a line a campaign. No times asserted."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]


@pytest.mark.parametrize("fixed", [[], ["--fixed"]], ids=["symbolic", "fixed"])
def test_it_measures_whole_campaigns(fixed: list[str]) -> None:
    asked = ["--only", "resnet8_fp32", "--samples", "2", "--faults", "3", *fixed]
    done = subprocess.run(
        [sys.executable, "tools/bench_campaigns.py", *asked],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    lines = [line for line in done.stdout.splitlines() if line.startswith("| resnet8_fp32 | 2 |")]
    assert len(lines) == 2
    assert all(("fixed" if fixed else "symbolic") in line for line in lines)
