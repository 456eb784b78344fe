"""How fast fault injection is, against fault-free onnxruntime: the project's benchmark.

Every ratio is the time of an injection over the time of a fault-free run of the same batch, by
plain onnxruntime at its default optimisation, in the same process, on one thread, the two taking
turns. CPU time leaves out waiting for a core, so the ratios hold on a busy machine as well.

    python tools/bench.py -o bench.json                  # everything; tables on standard output
    python tools/bench.py --only t1 --only resnet20      # one task, one model
    python tools/bench.py --faults 1000 --limit 600      # as long as a usual campaign
    python tools/bench.py --add mine=net.onnx --only mine  # a model of your own
    python tools/bench.py --add efficientnet_lite0=FILE    # FILE: see tools/make_efficientnet.py

Tasks: t1 single weight flips, t2 single activation flips, t3 many flips at once, t4 start-up and
machinery, t5 scaling over workload, model and workers, t6 peak memory. Every engine that can do a
task is measured. Lines that have a mark to reach are held against it at the end: the marks speak
of 1,000 faults, hence --faults 1000 --limit 600. docs/performance.md shows and explains the
figures.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import re
import sys
import tempfile
import time
from importlib.metadata import version
from pathlib import Path
from typing import Any

FORMAT = "onnxfi-bench/1"
_PACKAGES = ("onnxfi", "onnx", "numpy")
#: glibc gives freed blocks of some megabytes back and takes page faults to get them again.
#: Rivals built on PyTorch were measured with them kept, PyTorch's fastest setting.
_KEEP = {"MALLOC_MMAP_THRESHOLD_": str(2**31), "MALLOC_TRIM_THRESHOLD_": str(2**32)}


def _arguments() -> argparse.Namespace:
    summary, _, details = (__doc__ or "").partition("\n\n")
    parser = argparse.ArgumentParser(
        description=summary,
        epilog=details,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("-o", "--output", type=Path, help="write everything as JSON, too")
    parser.add_argument("--only", action="append", default=[], help="a task, model or engine")
    parser.add_argument("--faults", type=int, help="injections a line (default 200; 8 if quick)")
    parser.add_argument(
        "--limit",
        type=float,
        default=20.0,
        help="seconds after which a line ends early (T6: later)",
    )
    parser.add_argument("--quick", action="store_true", help="just enough to see that it runs")
    parser.add_argument(
        "--add", action="append", default=[], metavar="NAME=FILE", help="measure this model, too"
    )
    parser.add_argument("--malloc", choices=("default", "kept"), default="default")
    options = parser.parse_args()
    if options.faults is not None and options.faults < 2:
        parser.error("--faults must be at least 2")
    options.added = {}
    for pair in options.add:
        name, _, file = pair.partition("=")
        if not Path(file).is_file():
            parser.error(f"--add {pair}: no such file")
        options.added[name] = Path(file).resolve()
    return options


def _machine() -> dict[str, Any]:
    import onnxruntime

    facts: dict[str, Any] = {name: version(name) for name in _PACKAGES}
    facts |= {
        "onnxruntime": onnxruntime.__version__,
        "python": platform.python_version(),
        "system": platform.system(),
        "machine": platform.machine(),
        "cores": os.cpu_count(),
        "load": os.getloadavg()[0] if hasattr(os, "getloadavg") else None,
    }
    cpuinfo = Path("/proc/cpuinfo")
    if cpuinfo.exists():
        lines = (line.partition(":") for line in cpuinfo.read_text().splitlines())
        models = [value.strip() for key, _, value in lines if key.strip() == "model name"]
        facts["processor"] = models[0] if models else None
    return facts


def main() -> int:
    """Measure, print the tables, write the JSON; 1 if nothing could be measured."""
    options = _arguments()
    # Read by libraries as they are loaded, here and in the processes that measure.
    os.environ |= {"OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"}
    if options.malloc == "kept":
        os.environ |= _KEEP
    from benchmark.marks import judged
    from benchmark.plan import Extent, names, plan, quick
    from benchmark.process import measured
    from benchmark.tables import markdown

    unknown = set(options.only) - names(list(options.added))
    if unknown:
        known = ", ".join(sorted(names(list(options.added))))
        print(f"--only {unknown.pop()!r} is unknown; choose from: {known}", file=sys.stderr)
        return 2
    if options.quick:
        extent = quick(options.faults)
    else:
        extent = Extent(
            faults=options.faults or 200,
            limit_s=options.limit,
            # 1,000 large images take seconds each time, and every site has to be hit.
            memory_s=max(300.0, 5 * options.limit),
        )
    started = time.monotonic()
    document: dict[str, Any] = {
        "format": FORMAT,
        # Files by name: where they lie is nobody else's business.
        "command": ["tools/bench.py", *(re.sub(r"[^=]*/", "", arg) for arg in sys.argv[1:])],
        "machine": _machine(),
        "rows": [],
    }
    rows = []
    with tempfile.TemporaryDirectory(prefix="onnxfi-bench-") as folder:
        cells = plan(extent, list(options.added), options.only)
        for number, cell in enumerate(cells, 1):
            begun = time.monotonic()
            found = measured(cell, Path(folder), options.added)
            rows += found
            note = next((row.skipped for row in found if row.skipped), "")
            spent = f"{time.monotonic() - begun:.1f} s"
            print(f"[{number}/{len(cells)}] {cell.label}: {note or spent}", file=sys.stderr)
            document["rows"] = [row.to_json() for row in rows]
            document["marks"] = [mark.to_json() for mark in judged(rows)]
            document["seconds"] = time.monotonic() - started
            if options.output is not None:
                options.output.write_text(json.dumps(document, indent=1) + "\n")
    print(markdown(rows))
    return 0 if any(row.skipped is None for row in rows) else 1


if __name__ == "__main__":
    sys.exit(main())
