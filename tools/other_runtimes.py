"""Does a baked model decide elsewhere as it does in onnxruntime?

Random scenarios over models of the zoo are baked into ordinary files (what `onnxfi inject`
writes), and each file runs in onnxruntime and in another runtime, on the same pictures. Decisions
are counted as the same; as differing in a tie of the two best scores; as those of onnxruntime with
its optimisations disabled, whose fused kernels do another arithmetic; or as differing. Scores that
are not finite are a decision of their own.

    python tools/other_runtimes.py reference                  # onnx.reference, slow
    python tools/other_runtimes.py openvino --scenarios 100   # pip install openvino

Exits with 1 if a decision differs for no such reason, or nothing could be compared.
"""

from __future__ import annotations

import argparse
import sys
import time
from pathlib import Path

from runtimes.answers import RUNTIMES
from runtimes.cases import CASES
from runtimes.compare import Effort, Line, compare
from runtimes.table import markdown

MODELS = Path(__file__).resolve().parents[1] / "models"
#: Where a runtime is known not to do what ONNX says: `onnx.reference` lets QuantizeLinear overflow
#: from 2**31 on, instead of saturating, which a tiny scale leads to.
DEFECTS = {("reference", "5 flips in scales, signs kept")}
NETWORKS = ("lenet5_mnist", "resnet8_fashion")
VARIANTS = ("fp32", "fp16", "int8_qdq", "int8_qoperator", "int8_dynamic")


def _arguments() -> argparse.Namespace:
    summary, _, details = (__doc__ or "").partition("\n\n")
    parser = argparse.ArgumentParser(
        description=summary, epilog=details, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("runtime", choices=RUNTIMES)
    parser.add_argument("--scenarios", type=int, default=20, help="a line of the table")
    parser.add_argument("--images", type=int, default=20, help="pictures a scenario")
    parser.add_argument("--only", default="", help="only models whose name contains this")
    parser.add_argument("--seed", type=int, default=5)
    return parser.parse_args()


def _lines(options: argparse.Namespace) -> list[Line]:
    effort = Effort(scenarios=options.scenarios, images=options.images, seed=options.seed)
    lines = []
    for network in NETWORKS:
        data = MODELS / f"{network.partition('_')[2]}_test1000.npz"
        for variant in VARIANTS:
            path = MODELS / f"{network}_{variant}.onnx"
            for case in CASES if options.only in path.name else ():
                started = time.monotonic()
                line = compare(path, data, case, RUNTIMES[options.runtime], effort)
                line.excused |= (options.runtime, case.name) in DEFECTS
                lines.append(line)
                spent = time.monotonic() - started
                print(f"{path.stem}, {case.name}: {spent:.1f} s", file=sys.stderr)
    return lines


def main() -> int:
    """Compare, print, and say by the exit code whether all decisions are the same."""
    lines = _lines(_arguments())
    print(markdown(lines))
    compared = sum(line.compared for line in lines)
    return 0 if compared and all(line.holds for line in lines) else 1


if __name__ == "__main__":
    sys.exit(main())
