"""Can every operator be instrumented? onnx's own operator cases, every injectable tensor opened.

Each case that onnxruntime loads gets a port on every input and output that can have one. With no
fault armed, the outputs have to be those of the untouched model, bit for bit, and what the case
expects; with a bit flipped through the port of an input, those of the untouched model on an input
with that bit flipped; with a bit of an output flipped, what numpy makes of it.

    python tools/operator_cases.py             # all of them, about two minutes
    python tools/operator_cases.py --every 12  # every twelfth, by name
    python tools/operator_cases.py --campaigns auto  # a short campaign on each, ten minutes

A campaign (of the engine named) has to be refused before a folder is made, or to run to its end.

Exits with 1 if a case does not hold that is not known not to, or a campaign fails late.
"""

from __future__ import annotations

import argparse
import sys

from operators.campaigns import carried_lines, carry_out
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
    parser.add_argument("--campaigns", metavar="ENGINE", help="run a campaign on each instead")
    options = parser.parse_args()
    cases = [case for case in collect()[:: options.every] if options.only in case.name]
    if options.campaigns:
        found = [carry_out(case, options.campaigns) for case in cases]
        print("\n".join(carried_lines(found, options.campaigns)))
        return 1 if any(each.state == "late" for each in found) else 0
    findings = [check(case) for case in cases]
    print("\n".join(lines(findings)))
    return 1 if broken(findings) else 0


if __name__ == "__main__":
    sys.exit(main())
