"""Which estimator of the failure rate is best, on networks whose failing faults are known.

    python tools/studies/sampling/compare_estimators.py --models models --truth runs/truth

From the same priority samples (uniform share 0.1, power 1) by the package's scores: the plain sum,
the ratio (rate `failure`), the difference with a line in the weight (`failure_difference`), and the
difference with a rising step function of the weight, fitted on three quarters of a sample for the
fourth, for which the numbers of faults by weight must be known. `--truth` is the folder of
`eval_sampling.py truth`. Prints a Markdown table: the variance reduction of the ratio
against uniform sampling, of the others the gain over the ratio (its mean squared error over
theirs), and the coverage of the 95 % intervals.
"""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from evaluation.targets import Target

COLUMNS = (
    "target",
    "scores",
    "n",
    "ratio: variance reduction",
    "plain",
    "difference",
    "isotonic",
    "covered by ratio",
    "difference",
    "isotonic",
)


def main(arguments: list[str] | None = None) -> int:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--models", type=Path, action="append", required=True)
    parser.add_argument("--truth", type=Path, required=True)
    parser.add_argument("--only", default="*", help="globs of target names, by commas")
    parser.add_argument("--methods", default="sensitivity*", help="globs of names, by commas")
    parser.add_argument("-n", type=int, action="append", help="scenarios (default 300 and 1,000)")
    parser.add_argument("--repeats", type=int, default=1_000)
    options = parser.parse_args(arguments)
    # Read by libraries as they are loaded.
    os.environ |= {"OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"}
    from evaluation.targets import chosen

    print(f"| {' | '.join(COLUMNS)} |")
    print(f"|{'---|' * len(COLUMNS)}")
    for target in chosen(options.only):
        path = options.truth / f"{target.name}.npz"
        if path.exists():
            for line in _lines(target, path, options):
                print(line, flush=True)
    return 0


def _lines(target: Target, path: Path, options: argparse.Namespace) -> Iterator[str]:
    import numpy as np
    from evaluation.bench import prepare
    from evaluation.draws import PrioritySampler, mixture_weights
    from evaluation.estimators import Classes, compare
    from evaluation.methods import Sources, methods, scores_at
    from evaluation.population import population
    from evaluation.truth import Truth

    from onnxfi.sampling import Mixture

    space = prepare(target, options.models).space
    known = population(Truth.read(path), space)
    failing = known.failing(0.05)
    truth = float((known.copies * failing).sum()) / known.size
    if not truth:
        return
    for method in methods(target, options.models, space, Sources(only=options.methods)):
        scores = scores_at(space, method.scores, known.fault)
        weight = mixture_weights(scores, known.copies, Mixture())
        classes = Classes.by(weight, known.copies)
        for n in options.n or (300, 1_000):
            sampler = PrioritySampler(weight, known.copies, n)
            found = compare(sampler, classes, failing, options.repeats, seed=n)
            errors = {
                name: float(np.mean([(one.value - truth) ** 2 for one in trials]))
                for name, trials in found.items()
            }
            held = {
                name: float(np.mean([one.low <= truth <= one.high for one in trials]))
                for name, trials in found.items()
            }
            cells = [target.name, method.name, f"{n:,}"]
            cells.append(f"{truth * (1 - truth) / n / errors['ratio']:.3g}")
            names = ("plain", "difference", "isotonic")
            cells += [f"{errors['ratio'] / max(errors[name], 1e-30):.2f}" for name in names]
            cells += [f"{held[name]:.3f}" for name in ("ratio", *names[1:])]
            yield f"| {' | '.join(cells)} |"


if __name__ == "__main__":
    sys.exit(main())
