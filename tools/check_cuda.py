"""Do faults on CUDA do what they do on the CPU? Run this on a machine with a GPU.

Armed tensors and flipped bytes against numpy, tensors kept on the device against those fed by the
host, runs against their repetitions, all engines that run there against `bake`, CUDA against the
CPU, and what it all costs, as a Markdown page with versions and device.

    python tools/check_cuda.py                       # writes docs/cuda.md
    python tools/check_cuda.py --provider cpu        # the same checks on the CPU

Exits with 1 if a check does not hold (the page is written and says which), or if the provider
can't start (one line says why, and nothing is written).
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from provider_checks import bench, device, models, oracle
from provider_checks.found import MODELS, Check, Effort
from provider_checks.report import page

from onnxfi.engine import EngineSettings, Session
from onnxfi.errors import OnnxFIError
from onnxfi.graph import load

ROOT = Path(__file__).resolve().parent.parent
DEFAULT = (
    "lenet5_mnist_fp32.onnx",
    "lenet5_mnist_fp16.onnx",
    "resnet8_fashion_fp32.onnx",
    "resnet8_fashion_fp16.onnx",
)


def _arguments(given: list[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--provider", default="cuda", help="execution provider (%(default)s)")
    parser.add_argument("--output", type=Path, help="the page; default docs/PROVIDER.md")
    parser.add_argument("--models", nargs="+", default=DEFAULT, help="files in models/")
    parser.add_argument("--scenarios", type=int, default=60, help="a comparison (%(default)s)")
    parser.add_argument("--images", type=int, default=100, help="a scenario (%(default)s)")
    parser.add_argument("--repeats", type=int, default=50, help="timed runs (%(default)s)")
    return parser.parse_args(given)


def _checks(effort: Effort) -> list[Check]:
    found = []
    for suite in (oracle, device, models):
        for check in suite.checks(effort):
            print(f"{'ok  ' if check.ok else 'FAIL'} {check.claim}: {check.subject}", flush=True)
            found.append(check)
    return found


def main(given: list[str] | None = None) -> int:
    """Check, measure, write the page."""
    arguments = _arguments(given)
    effort = Effort(
        provider=arguments.provider,
        models=tuple(arguments.models),
        scenarios=arguments.scenarios,
        images=arguments.images,
        repeats=arguments.repeats,
    )
    try:
        # One session says whether the provider starts; onnxruntime itself would take the CPU.
        Session(load(MODELS / effort.models[0]), EngineSettings(provider=effort.provider))
    except OnnxFIError as error:
        print(" ".join(str(error).split()), file=sys.stderr)
        return 1
    checks = _checks(effort)
    timings, measured = bench.measure(effort)
    checks += measured
    output = arguments.output or ROOT / "docs" / f"{effort.provider.lower()}.md"
    output.write_text(page(effort, checks, timings), encoding="utf-8")
    broken = sum(not check.ok for check in checks)
    print(f"{len(checks) - broken} of {len(checks)} checks held; {output}")
    return 1 if broken else 0


if __name__ == "__main__":
    sys.exit(main())
