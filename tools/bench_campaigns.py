"""What whole campaigns cost, from `Campaign.create` to the last row, over plain onnxruntime.

    python tools/bench_campaigns.py                              # ResNet-20 and ResNet-18
    python tools/bench_campaigns.py --only resnet20 --samples 1 --faults 5000
    python tools/bench_campaigns.py --only resnet20 --fixed      # the batch fixed in the file

Single bit flips, uniform over the weights of convolutions and products and over the outputs of
convolutions, by engine `cut`. CPU time of the process, on one thread. *Ratio* is the time of the
campaign for each fault over a fault-free run of the same samples by plain onnxruntime, median of
runs before and after. *Set-up* is a campaign of a single fault, over the start of a plain session
and one run. Modules are imported before the clock starts.
"""

from __future__ import annotations

import argparse
import os
import statistics
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

_MODELS = ("resnet20", "resnet18", "resnet8_fp32", "resnet8_int8_qdq")
_RUNS = 10


def _arguments() -> argparse.Namespace:
    summary, _, details = (__doc__ or "").partition("\n\n")
    parser = argparse.ArgumentParser(
        description=summary, epilog=details, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--only", action="append", choices=_MODELS, help="a model")
    parser.add_argument("--samples", type=int, action="append", help="1, 8 and 64 unless said")
    parser.add_argument("--faults", type=int, default=1000)
    parser.add_argument("--fixed", action="store_true", help="fix the batch in the file")
    return parser.parse_args()


def main() -> int:
    """Measure and print one line a campaign."""
    options = _arguments()
    os.environ |= {"OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"}
    from benchmark.subjects import subject

    from onnxfi.engine import instruction_set, int8_arithmetic

    kind_of_cpu = f"{instruction_set()}, int8 arithmetic {int8_arithmetic()}"
    print(f"CPU: {kind_of_cpu}; {options.faults:,} faults a campaign\n")
    print("| model | samples | batch | faults in | ratio | faults a CPU s | set-up |")
    print("|---|---:|---|---|---:|---:|---:|")
    with tempfile.TemporaryDirectory(prefix="onnxfi-bench-") as folder:
        for name in options.only or _MODELS[:2]:
            found = subject(name, Path(folder), {})
            for samples in options.samples or (64, 8, 1):
                for kind, operators in (
                    ("weight", ("Conv", "Gemm")),
                    ("activation", (found.activations,)),
                ):
                    case = _Case(found.model, found.inputs, samples, kind, operators)
                    print(_line(case, Path(folder), name, options), flush=True)
    return 0


@dataclass(frozen=True, slots=True)
class _Case:
    """One campaign: a model, its samples, and where faults go."""

    model: Path
    inputs: Path
    samples: int
    kind: str
    operators: tuple[str, ...]


def _line(case: _Case, folder: Path, name: str, options: argparse.Namespace) -> str:
    import numpy as np
    import onnx
    from benchmark.plain import plain_session

    with np.load(case.inputs) as data:
        arrays = {key: data[key][: case.samples] for key in data.files if key != "labels"}
    inputs = folder / "samples.npz"
    np.savez(inputs, **arrays)
    model = case.model
    if options.fixed:
        proto = onnx.load(case.model)
        for value in proto.graph.input:
            value.type.tensor_type.shape.dim[0].dim_value = case.samples
        model = folder / "fixed.onnx"
        onnx.save(proto, model)
    start = time.process_time()
    session = plain_session(str(model))
    opened = time.process_time() - start
    before = _timed(lambda: session.run(None, arrays))
    _campaign(model, inputs, case, 1)  # imports what campaigns need
    one = _campaign(model, inputs, case, 1)
    whole = _campaign(model, inputs, case, options.faults)
    plain = statistics.median([*before, *_timed(lambda: session.run(None, arrays))])
    ratio = whole / options.faults / plain
    return (
        f"| {name} | {case.samples} | {'fixed' if options.fixed else 'symbolic'} | {case.kind} |"
        f" {ratio:.2f} | {options.faults / whole:.0f} | {one / (opened + plain):.0f}x |"
    )


def _timed(run: Callable[[], Any]) -> list[float]:
    found = []
    for _ in range(_RUNS):
        start = time.process_time()
        run()
        found.append(time.process_time() - start)
    return found


def _campaign(model: Path, inputs: Path, case: _Case, faults: int) -> float:
    """CPU seconds of a campaign, from its making to its last row."""
    import onnxfi as fi

    with tempfile.TemporaryDirectory(prefix="onnxfi-bench-") as folder:
        start = time.process_time()
        campaign = fi.Campaign.create(
            Path(folder) / "c",
            model=str(model),
            inputs=str(inputs),
            targets=[case.kind],
            op_types=list(case.operators),
            fault_model=fi.BitFlip(),
            sampler=fi.UniformSampler(n=faults, seed=3),
            engine="cut",
        )
        campaign.run()
        return time.process_time() - start


if __name__ == "__main__":
    sys.exit(main())
