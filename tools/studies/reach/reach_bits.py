"""Is every stored bit of real models within reach, and do faults land and leave no trace?

In each stored site of each file (packages of requirements-models.txt, onnxruntime's and onnx's own
test models, the zoo) a high bit is flipped. If no output changes, the same is tried in other
elements, then the sign, both, all bits and NaN, then these in all elements at once; then all again
in baked models. What nothing changes is dead for these inputs: a branch that is not taken, a
constant that the runtime ignores. After each round the fault-free run must give the golden bits.

    python tools/studies/reach/reach_bits.py -o reach.json  # all files, over an hour on two cores
    python tools/studies/reach/reach_bits.py --only silero  # files whose name contains this

Exits with 1 if a run left a trace.
"""

from __future__ import annotations

import argparse
import dataclasses
import json
import sys
from importlib.metadata import version
from pathlib import Path
from typing import Any, get_args

from reach.files import RealModel, bits_of, real_models
from reach.landing import Reach, reach

from onnxfi.engine import Optimization, runtime_version

FORMAT = "onnxfi-reach/1"
_COLUMNS = ("file", "stored sites", "bits in sites", "one flip", "harder", "dead", "clean")


def _arguments() -> argparse.Namespace:
    summary, _, details = (__doc__ or "").partition("\n\n")
    parser = argparse.ArgumentParser(
        description=summary, epilog=details, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("-o", "--output", type=Path, help="write everything as JSON, and resume")
    parser.add_argument("--only", default="", help="only files whose name contains this")
    parser.add_argument(
        "--optimization",
        choices=get_args(Optimization),
        default="all",
        help="of sessions; disabled is much faster for files that make their weights by operators",
    )
    return parser.parse_args()


def _line(model: RealModel, found: Reach) -> dict[str, Any]:
    landings = found.landings.values()
    _, bits = bits_of(model)
    single = sum(landing.single for landing in landings)
    return {
        "file": found.model,
        "sites": len(found.stored),
        "bits": bits,
        "share": bits["sites"] / max(1, sum(bits.values())),
        "single": single,
        "harder": len(landings) - single - len(found.dead),
        "dead": [dataclasses.asdict(landing) for landing in found.dead],
        "engines": found.engines,
        "clean": found.clean,
        "seconds": round(found.seconds, 1),
    }


def markdown(lines: list[dict[str, Any]]) -> str:
    """A table of the files."""
    rows = [f"| {' | '.join(_COLUMNS)} |", "|---|" + "---:|" * (len(_COLUMNS) - 1)]
    for line in lines:
        cells = (
            line["file"],
            f"{line['sites']:,}",
            f"{100 * line['share']:.1f} %",
            f"{line['single']:,}",
            f"{line['harder']:,}",
            f"{len(line['dead']):,}",
            "yes" if line["clean"] else "NO",
        )
        rows.append(f"| {' | '.join(cells)} |")
    return "\n".join(rows)


def main() -> int:
    """Reach for every bit, print, store, and say by the exit code whether traces were left."""
    options = _arguments()
    made = {name: version(name) for name in ("onnxfi", "onnx", "numpy")}
    made["onnxruntime"] = runtime_version()
    lines: list[dict[str, Any]] = []
    if options.output is not None and options.output.exists():
        document = json.loads(options.output.read_text(encoding="utf-8"))
        lines = document["lines"] if document.get("versions") == made else []
    known = {line["file"] for line in lines}
    for model in real_models():
        if options.only not in model.name or model.name in known:
            continue
        lines.append(_line(model, reach(model, options.optimization)))
        last = lines[-1]
        print(f"{model.name}: {last['sites']} sites, {last['seconds']} s", file=sys.stderr)
        if options.output is not None:
            document = {"format": FORMAT, "versions": made, "lines": lines}
            options.output.write_text(json.dumps(document, indent=1) + "\n", encoding="utf-8")
    print(markdown(lines))
    for line in lines:
        for dead in line["dead"]:
            print(f"dead: {line['file']}: {dead['site']} ({dead['tried']} scenarios)")
    return 0 if all(line["clean"] for line in lines) else 1


if __name__ == "__main__":
    sys.exit(main())
