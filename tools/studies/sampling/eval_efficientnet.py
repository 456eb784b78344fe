"""EfficientNet-Lite0 under bit flips: how choosing faults does on a network of some size.

    python tools/studies/sampling/eval_efficientnet.py efficientnet_lite0.onnx runs/efficientnet

The file is made by tools/make_efficientnet.py, the pictures are those that scikit-image and
scikit-learn ship (`pip install --no-deps pillow scikit-image==0.26.0 scikit-learn==1.9.1`), cut
into crops: some to judge failures by, others to measure sensitivity on. Then `onnxfi` is run: a
stratified campaign, the sensitivity by rules, the faults of highest score, and an importance
sample. The folder keeps everything; stopped, the same line goes on.

Prints the figures; with -o writes them as JSON and, between its two marks, into the page of the
same name.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

import numpy as np
from evaluation.large import figures, markdown, written
from evaluation.pictures import PictureError, crops, load, samples
from evaluation.steps import Cost, StepError, step

BEGIN, END = "<!-- figures -->", "<!-- end of figures -->"
INPUT = "image"


def _arguments() -> argparse.Namespace:
    summary, _, details = (__doc__ or "").partition("\n\n")
    parser = argparse.ArgumentParser(
        description=summary, epilog=details, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("model", type=Path)
    parser.add_argument("folder", type=Path, help="of all that is made; another run goes on there")
    parser.add_argument("--pictures", type=int, default=16, help="to judge failures by")
    parser.add_argument("--calibration", type=int, default=32, help="crops to measure scores on")
    parser.add_argument("--stratified", type=int, default=2000, help="injections")
    parser.add_argument("--top", type=int, default=100, help="injections of highest score")
    parser.add_argument("--importance", type=int, default=300, help="injections by the scores")
    parser.add_argument("-o", "--output", type=Path, help="such as docs/sampling-efficientnet.json")
    return parser.parse_args()


def _workloads(options: argparse.Namespace) -> tuple[Path, Path]:
    judged, calibration = (options.folder / f"{name}.npz" for name in ("pictures", "calibration"))
    if not (judged.exists() and calibration.exists()):
        found = load()
        for path, how, count in zip(
            (judged, calibration), crops(), (options.pictures, options.calibration), strict=True
        ):
            np.savez_compressed(path, **{INPUT: samples(found, how, count)})
    return judged, calibration


def run_steps(options: argparse.Namespace) -> dict[str, Cost]:
    """Run the four steps, each once, and return their costs."""
    options.folder.mkdir(parents=True, exist_ok=True)
    judged, calibration = _workloads(options)
    folder, model = options.folder, str(options.model)
    scores = folder / "scores.npz"
    run = ("run", "--model", model, "--inputs", str(judged))
    by = ("--scores", str(scores))
    strata = ("--strata", "site,field", "-n", str(options.stratified), "--seed", "1")
    measured = ("--inputs", str(calibration), "--samples", str(options.calibration), "--tier", "0")
    top = ("--sampler", "top", *by, "-n", str(options.top))
    importance = ("--sampler", "importance", *by, "-n", str(options.importance), "--seed", "1")
    every = {
        "strata": (*run, str(folder / "strata"), *strata),
        "sensitivity": ("sensitivity", model, *measured, "-o", str(scores), "--force", "--json"),
        "top": (*run, str(folder / "top"), *top),
        "importance": (*run, str(folder / "importance"), *importance),
    }
    return {name: step(folder, name, arguments) for name, arguments in every.items()}


def _into_page(page: Path, table: str) -> None:
    """Put the figures between the marks of the page."""
    text = page.read_text(encoding="utf-8")
    head, _, rest = text.partition(BEGIN)
    _, _, tail = rest.partition(END)
    page.write_text(f"{head}{BEGIN}\n\n{table}\n\n{END}{tail}", encoding="utf-8")


def main() -> int:
    """Run what is pending, and tell the figures; 0, or 1 with a one-line reason."""
    options = _arguments()
    try:
        costs = run_steps(options)
    except (PictureError, StepError) as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    document = figures(options.folder, costs)
    table = markdown(document)
    print(table)
    if options.output is not None:
        options.output.write_text(written(document), encoding="utf-8")
        page = options.output.with_suffix(".md")
        if page.exists():
            _into_page(page, table)
    return 0


if __name__ == "__main__":
    sys.exit(main())
