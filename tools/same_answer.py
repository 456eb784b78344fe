"""Do all engines give the same answer? Random scenarios through all of them, sample by sample.

Single flips in stored and in computed tensors, and 100 at once, on the fp32, fp16, int8 and
spiking networks of the zoo, and on networks quantized as others do it, with floats and integers
side by side. What must hold: `lift`, `ports` and `cut` agree in all four outcomes
at full optimisation; `bake` agrees with each of them in all four with optimisation disabled, and in
critical and due at full optimisation, but for ties of the two best scores in at most one sample in
10,000; a sample is masked if, and only if, no bit of its outputs changed.

    python tools/same_answer.py -o same.json                # 2,200 scenarios at each level
    python tools/same_answer.py --scenarios 5 --only lenet5 # a look
    python tools/same_answer.py --company 60                # 60 scenarios a model: alone, in a
                                                            # block, in a mixed campaign

With -o every finished line is stored; the same command goes on where it was ended. Exits with 1 if
a rule is broken.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import sys
import tempfile
import time
from collections.abc import Iterable, Sequence
from importlib.metadata import version
from pathlib import Path
from typing import Any

import msgspec
from agreement.company import Company, compare_company
from agreement.draw import CASES, Case
from agreement.elsewhere import make
from agreement.lines import Effort, compare_line
from agreement.records import Line
from agreement.rules import verdicts
from agreement.setting import MODELS, Level
from agreement.tables import markdown

import onnxfi
from onnxfi.engine import runtime_version

FORMAT = "onnxfi-same-answer/1"
#: Dynamic quantisation is left out: rows of a batch influence each other there, so all is slow.
NETWORKS = (
    *(f"lenet5_mnist_{kind}" for kind in ("fp32", "fp16", "int8_qdq", "int8_qoperator")),
    *(f"resnet8_fashion_{kind}" for kind in ("fp32", "fp16", "int8_qdq", "int8_qoperator")),
    "snn_snntorch_mnist",
    "snn_spikingjelly_mnist",
)
LEVELS: tuple[Level, ...] = ("all", "disabled")


def _arguments() -> argparse.Namespace:
    summary, _, details = (__doc__ or "").partition("\n\n")
    parser = argparse.ArgumentParser(
        description=summary, epilog=details, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("-o", "--output", type=Path, help="write everything as JSON, and resume")
    parser.add_argument(
        "--scenarios", type=int, default=50, help="a line; 44 lines at each of two levels"
    )
    parser.add_argument("--images", type=int, default=40)
    parser.add_argument(
        "--only", action="append", help="only models whose name contains this, or another one"
    )
    parser.add_argument("--level", choices=LEVELS, help="only this level of optimisation")
    parser.add_argument("--seed", type=int, default=11)
    parser.add_argument(
        "--company", type=int, metavar="N", help="only compare N scenarios a model in company"
    )
    return parser.parse_args()


def _settings(options: argparse.Namespace) -> dict[str, Any]:
    """What decides the lines; lines of other settings are not taken over."""
    return {
        "scenarios": options.scenarios,
        "images": options.images,
        "seed": options.seed,
        "onnxfi": version("onnxfi"),
        "onnxruntime": runtime_version(),
        "onnx": version("onnx"),
        "numpy": version("numpy"),
        "code": _digest(Path(onnxfi.__file__).parent.rglob("*.py")),
        "data": _digest(MODELS.iterdir()),
    }


def _digest(paths: Iterable[Path]) -> str:
    """sha256 over names and contents of files, hex."""
    sha = hashlib.sha256()
    for path in sorted(paths):
        sha.update(f"{path.name}\0".encode() + hashlib.sha256(path.read_bytes()).digest())
    return sha.hexdigest()


def _stored(path: Path | None, settings: dict[str, Any]) -> list[Line]:
    """Lines of an earlier run with the same settings."""
    if path is None or not path.exists():
        return []
    document = json.loads(path.read_text(encoding="utf-8"))
    if document.get("settings") != settings:
        return []
    return [msgspec.convert(line, Line) for line in document["lines"]]


def _write(path: Path, settings: dict[str, Any], lines: list[Line]) -> None:
    document = {
        "format": FORMAT,
        "settings": settings,
        "rules": [{**msgspec.to_builtins(v), "holds": v.holds} for v in verdicts(lines)],
        "lines": msgspec.to_builtins(lines),
    }
    path.write_text(json.dumps(document, indent=1) + "\n", encoding="utf-8")


def _networks(only: Sequence[str], folder: Path) -> list[Path]:
    """The models, those that are not the zoo's made in a folder."""
    zoo = [MODELS / f"{name}.onnx" for name in NETWORKS if any(part in name for part in only)]
    return [*zoo, *make(folder, only)]


def _wanted(paths: Iterable[Path], levels: Sequence[Level]) -> list[tuple[Path, Case, Level]]:
    return [
        (path, case, level)
        for path in paths
        for case in CASES
        if case.models in path.name
        for level in levels
    ]


def _in_company(paths: Iterable[Path], options: argparse.Namespace) -> int:
    """Compare rows in company, print them, and say by the exit code whether all are the same."""
    found: list[Company] = []
    print("| model | engine | rows | others alone, in a block or in a mixed campaign |")
    print("|---|---|---:|---|", flush=True)
    for path in paths:
        started = time.monotonic()
        for each in compare_company(path, options.company, options.images, options.seed):
            named = ", ".join(each.differing) or "none"
            print(f"| {each.model} | {each.engine} | {each.rows} | {named} |", flush=True)
            found.append(each)
        print(f"{path.stem}: {time.monotonic() - started:.1f} s", file=sys.stderr)
    differing = sum(len(each.differing) for each in found)
    print(f"\n{differing} of {sum(each.rows for each in found):,} rows differ")
    return 1 if differing else 0


def main() -> int:
    """Compare, print, store, and say by the exit code whether all rules hold."""
    options = _arguments()
    with tempfile.TemporaryDirectory(prefix="onnxfi-") as folder:
        paths = _networks(options.only or [""], Path(folder))
        if options.company is not None:
            return _in_company(paths, options)
        return _compare(_wanted(paths, [options.level] if options.level else LEVELS), options)


def _compare(wanted: list[tuple[Path, Case, Level]], options: argparse.Namespace) -> int:
    settings = _settings(options)
    lines = _stored(options.output, settings)
    known = {(line.model, line.case, line.level) for line in lines}
    effort = Effort(scenarios=options.scenarios, images=options.images, seed=options.seed)
    for number, (path, case, level) in enumerate(wanted, 1):
        if (path.name, case.name, level) in known:
            continue
        started = time.monotonic()
        lines.append(compare_line(path, case, level, effort))
        spent = time.monotonic() - started
        label = f"{path.stem}, {case.name}, {level}"
        print(f"[{number}/{len(wanted)}] {label}: {spent:.1f} s", file=sys.stderr)
        if options.output is not None:
            _write(options.output, settings, lines)
    print(markdown(lines))
    broken = [each for each in verdicts(lines) if each.samples and not each.holds]
    for each in broken:
        print(f"BROKEN: {each.rule}: {each.against:,} of {each.samples:,}", file=sys.stderr)
    return 1 if broken else 0


if __name__ == "__main__":
    sys.exit(main())
