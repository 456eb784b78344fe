"""What does pruning do to the vulnerability of a network? Dense beside 50 % and 90 % pruned.

Every figure is a campaign of `onnxfi run` in a folder of its own, so that the tool can be stopped
and started again: single bit flips over all bits of weights and biases, split by whether the
element that was hit is zero, and bit-error rates. The sparse form is measured apart: values and
indices are what such a file stores.

    python tools/studies/pruned/pruned.py               # everything, and docs/pruned.md
    python tools/studies/pruned/pruned.py --single 500  # a look

Writes the figures into docs/pruned.json and, between its two marks, into docs/pruned.md.
"""

from __future__ import annotations

import argparse
import json
import sys
from dataclasses import asdict, replace
from pathlib import Path

from pruning.measure import Effort, Subject, measure
from pruning.table import markdown

ROOT = Path(__file__).resolve().parents[3]
BEGIN, END = "<!-- figures -->", "<!-- end of figures -->"
_DENSE = (("dense", "fp32"), ("50 % pruned", "pruned50"), ("90 % pruned", "pruned90"))
_SPARSE = ("90 % pruned, sparse", "pruned90_sparse")
SUBJECTS = tuple(
    Subject(
        name=name,
        network=network,
        model=ROOT / "models" / f"{stem}_{variant}.onnx",
        inputs=ROOT / "models" / f"{stem.partition('_')[2]}_test1000.npz",
        targets=targets,
    )
    for network, stem in (("ResNet-8", "resnet8_fashion"), ("LeNet-5", "lenet5_mnist"))
    for name, variant, targets in (
        *((*form, ("weight", "bias")) for form in _DENSE),
        (f"{_SPARSE[0]}: values", _SPARSE[1], ("weight", "bias")),
        (f"{_SPARSE[0]}: indices", _SPARSE[1], ("sparse_index",)),
    )
)


def _arguments() -> argparse.Namespace:
    summary, _, details = (__doc__ or "").partition("\n\n")
    parser = argparse.ArgumentParser(
        description=summary, epilog=details, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--only", default="", help="models whose file name contains this")
    parser.add_argument("--single", type=int, default=4000, help="single flips a network")
    parser.add_argument("--sparse", type=int, default=1000, help="single flips a sparse file")
    parser.add_argument("--scenarios", type=int, default=80, help="a bit-error rate")
    parser.add_argument("--ber", type=float, nargs="*", default=[1e-6, 1e-5, 1e-4])
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--folder", type=Path, default=ROOT / "runs" / "pruned")
    parser.add_argument("-o", "--output", type=Path, default=ROOT / "docs" / "pruned.json")
    return parser.parse_args()


def into_page(page: Path, table: str) -> None:
    """Put the tables between the marks of the page."""
    text = page.read_text(encoding="utf-8")
    head, _, rest = text.partition(BEGIN)
    _, _, tail = rest.partition(END)
    page.write_text(f"{head}{BEGIN}\n\n{table}\n\n{END}{tail}", encoding="utf-8")


def main() -> int:
    """Measure, print, and write the figures down."""
    options = _arguments()
    effort = Effort(
        single=options.single,
        scenarios=options.scenarios,
        rates=tuple(options.ber),
        workers=options.workers,
    )
    found = []
    for subject in SUBJECTS:
        if options.only in subject.model.name:
            print(f"{subject.network}, {subject.name}", file=sys.stderr)
            # Sparse tensors are baked, each scenario into a file of its own: that takes longer.
            single = options.sparse if "sparse" in subject.name else options.single
            wanted = replace(effort, single=single)
            found.append(measure(subject, wanted, options.folder))
    table = markdown(found)
    print(table)
    if not options.only:
        text = json.dumps([asdict(each) for each in found], indent=1) + "\n"
        options.output.write_text(text, encoding="utf-8")
        into_page(options.output.with_suffix(".md"), table)
    return 0


if __name__ == "__main__":
    sys.exit(main())
