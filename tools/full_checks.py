"""Run the heavy checks: other toolchains, other runtimes. `.ci/run --full` ends with this.

Each step of the table in tools/full/steps.py runs in the environment that it needs; what it says is
kept in docs/full-checks.json and shown in docs/full-checks.md.

    python tools/full_checks.py                    # all steps
    python tools/full_checks.py --only sklearn     # one; the others keep their record

Exits with 1 if a step did not hold.
"""

from __future__ import annotations

import argparse
import os
import platform
import subprocess
import sys
import time
from importlib.metadata import version
from pathlib import Path

from full.environment import ROOT, python_for
from full.record import Result, read, write
from full.steps import STEPS, Step

from onnxfi.engine import runtime_version


def _arguments() -> argparse.Namespace:
    summary, _, details = (__doc__ or "").partition("\n\n")
    parser = argparse.ArgumentParser(
        description=summary, epilog=details, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    names = [step.name for step in STEPS]
    parser.add_argument("--only", action="append", choices=names, help="may be repeated")
    parser.add_argument("-o", "--output", type=Path, default=ROOT / "docs" / "full-checks.json")
    return parser.parse_args()


def _run(step: Step) -> Result:
    started = time.monotonic()
    try:
        python = python_for(step)
        done = subprocess.run(
            [python, *step.command],
            cwd=ROOT,
            env={**os.environ, "PYTHONUNBUFFERED": "1"},
            stdout=subprocess.PIPE,
            text=True,
            check=False,
        )
        held, said = done.returncode == 0, done.stdout
    except subprocess.CalledProcessError as error:
        held, said = False, f"The environment could not be made: {error}"
    return Result(
        held=held,
        seconds=round(time.monotonic() - started, 1),
        runtime=runtime_version(),
        python=platform.python_version(),
        said=said,
    )


def main() -> int:
    """Run the steps, keep what they said, and say by the exit code whether all held."""
    options = _arguments()
    print(f"onnxfi {version('onnxfi')}, onnxruntime {runtime_version()}", file=sys.stderr)
    results = read(options.output)
    failed = []
    for step in STEPS:
        if options.only and step.name not in options.only:
            continue
        print(f"== {step.name}: {step.title}", file=sys.stderr)
        results[step.name] = result = _run(step)
        write(options.output, results)
        print(f"{result.said.rstrip()}\n== {step.name}: {'ok' if result.held else 'FAILED'}")
        failed += [] if result.held else [step.name]
    if failed:
        print(f"failed: {', '.join(failed)}", file=sys.stderr)
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
