"""Can every operator be instrumented? onnx's own operator cases, every injectable tensor opened.

Each case that onnxruntime loads gets a port on every input and output that can have one. With no
fault armed, the outputs have to be those of the untouched model, bit for bit, and what the case
expects; with a bit flipped through the port of an input, those of the untouched model on an input
with that bit flipped; with a bit of an output flipped, what numpy makes of it.

    python tools/operator_cases.py             # all of them, about two minutes
    python tools/operator_cases.py --every 12  # every twelfth, by name

Exits with 1 if a case does not hold that is not known not to.
"""

from __future__ import annotations

import argparse
import sys

from operators.cases import collect
from operators.check import check
from operators.table import broken, lines


def main() -> int:
    """Run the command line; 0 if all holds."""
    summary, _, details = (__doc__ or "").partition("\n\n")
    parser = argparse.ArgumentParser(
        description=summary, epilog=details, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--every", type=int, default=1, metavar="N", help="only each N-th case")
    parser.add_argument("--only", default="", help="only cases whose name contains this")
    options = parser.parse_args()
    cases = [case for case in collect()[:: options.every] if options.only in case.name]
    findings = [check(case) for case in cases]
    print("\n".join(lines(findings)))
    return 1 if broken(findings) else 0


if __name__ == "__main__":
    sys.exit(main())
