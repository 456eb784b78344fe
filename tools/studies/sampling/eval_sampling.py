"""How well faults are chosen: the package's evaluation of its samplers.

    python tools/studies/sampling/eval_sampling.py truth --models models --truth runs/truth
    python tools/studies/sampling/eval_sampling.py run --models models --truth runs/truth -o r.json

`truth` injects, stage by stage, what is needed to know which faults of a target fail; stopped, it
goes on where it was. `run` tries methods on what is known, with no more injections: the package's
sampler by a method's scores, as it is set to find failures (uniform share 0.05, power 8) and to
estimate (0.1, 1); the faults of highest score; and, of samplers of their own, their own draws.
`--scores NAME=FOLDER` adds a method whose scores are in FOLDER/TARGET.npz, `--gradients FOLDER`
those that need gradients. `tables` puts rows of several runs together, the later ones in place of
the earlier; `targets` lists targets.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
from pathlib import Path
from typing import Any

FORMAT = "onnxfi-sampling-evaluation/1"


def _arguments() -> argparse.Namespace:
    summary, _, details = (__doc__ or "").partition("\n\n")
    parser = argparse.ArgumentParser(
        description=summary, epilog=details, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    verbs = parser.add_subparsers(dest="verb", required=True)
    verbs.add_parser("targets", help="list targets")
    tables = verbs.add_parser("tables", help="put rows of several runs together")
    tables.add_argument("rows", type=Path, nargs="+", help="files that `run` wrote")
    tables.add_argument("-o", "--output", type=Path, required=True, help="all rows, as JSON")
    tables.add_argument("--markdown", type=Path, required=True)
    truth = verbs.add_parser("truth", help="inject faults, to know which fail")
    run = verbs.add_parser("run", help="try methods on what is known")
    for verb in (truth, run):
        verb.add_argument(
            "--models", type=Path, action="append", required=True, help="folder; may be repeated"
        )
        verb.add_argument("--truth", type=Path, required=True, help="folder of truth files")
        verb.add_argument("--only", default="*", help="globs of target names, by commas")
    truth.add_argument(
        "--coarse", action="store_true", help="no more than 5,000 faults of what is sampled"
    )
    run.add_argument("--scores", action="append", default=[], metavar="NAME=FOLDER")
    run.add_argument("--search", type=_mixture, default="0.05,8", metavar="E,A")
    run.add_argument("--estimate", type=_mixture, default="0.1,1", metavar="E,A")
    run.add_argument(
        "--gradients", type=Path, help="folder of tools/studies/sampling/eval_gradients.py"
    )
    run.add_argument("--methods", default="*", help="globs of names of methods, by commas")
    run.add_argument(
        "--calibration", type=_numbers, metavar="N,…", help="images that our scores look at"
    )
    run.add_argument("--seeds", type=int, default=100, help="searches (default 100)")
    run.add_argument("--replicates", type=int, default=1_000, help="estimates (default 1,000)")
    run.add_argument(
        "--inject", action="store_true", help="faults that are found and not in the truth, 20 seeds"
    )
    run.add_argument("-o", "--output", type=Path, required=True, help="rows, as JSON")
    run.add_argument("--markdown", type=Path, help="tables, too")
    options = parser.parse_args()
    options.files = []
    for pair in getattr(options, "scores", []):
        name, _, folder = pair.partition("=")
        if not Path(folder).is_dir():
            parser.error(f"--scores {pair}: no such folder")
        options.files.append((name, Path(folder)))
    return options


def _mixture(text: str) -> tuple[float, float]:
    share, _, power = text.partition(",")
    return float(share), float(power)


def _numbers(text: str) -> tuple[int, ...]:
    return tuple(int(each) for each in text.split(","))


def _say(text: str) -> None:
    print(text, file=sys.stderr, flush=True)


def _truths(options: argparse.Namespace) -> None:
    from evaluation.bench import Bench
    from evaluation.inject import is_made, make_truth
    from evaluation.targets import chosen

    for target in chosen(options.only):
        if is_made(target, options.truth, coarse=options.coarse):
            continue
        bench = Bench(target, options.models)
        truth = make_truth(target, bench, options.truth, _say, coarse=options.coarse)
        failing = int((truth.drop >= 0.05).sum())
        _say(f"{target.name}: {len(truth.fault):,} faults injected, {failing:,} fail")
        bench.close()


def _run(options: argparse.Namespace) -> None:
    from evaluation.measure import Extent
    from evaluation.methods import Sources
    from evaluation.ours import SAMPLES
    from evaluation.study import Study, study
    from evaluation.tables import markdown
    from evaluation.targets import chosen

    from onnxfi.sampling import Mixture

    how = Study(
        models=options.models,
        truth=options.truth,
        sources=Sources(
            gradients=options.gradients,
            files=options.files,
            only=options.methods,
            samples=options.calibration or (SAMPLES,),
        ),
        extent=Extent(
            seeds=options.seeds,
            replicates=options.replicates,
            search=Mixture(uniform_share=options.search[0], power=options.search[1]),
            estimate=Mixture(uniform_share=options.estimate[0], power=options.estimate[1]),
        ),
        inject=options.inject,
    )
    rows: list[dict[str, Any]] = []
    for target in chosen(options.only):
        if not (options.truth / f"{target.name}.npz").exists():
            _say(f"{target.name}: no truth yet")
            continue
        rows += study(target, how)
        _say(f"{target.name}: done")
        document = {"format": FORMAT, "rows": rows}
        options.output.write_text(json.dumps(document, indent=1) + "\n", encoding="utf-8")
    if options.markdown is not None:
        options.markdown.write_text(markdown(rows), encoding="utf-8")


def _rounded(value: Any) -> Any:
    """Figures as far as they mean something."""
    if isinstance(value, dict):
        return {name: _rounded(each) for name, each in value.items()}
    if isinstance(value, list):
        return [_rounded(each) for each in value]
    return float(f"{value:.4g}") if isinstance(value, float) else value


def _tables(options: argparse.Namespace) -> None:
    from evaluation.summary import summary
    from evaluation.tables import markdown
    from evaluation.targets import TARGETS

    order = {target.name: place for place, target in enumerate(TARGETS)}
    found: dict[tuple[str, ...], dict[str, Any]] = {}
    for path in options.rows:
        for row in json.loads(path.read_text(encoding="utf-8"))["rows"]:
            key = (row["target"], row.get("method", ""), row["task"], str(row["drop"]))
            found[key] = row
    rows = sorted(found.values(), key=lambda row: order[row["target"]])
    lines = ",\n".join(json.dumps(_rounded(row)) for row in rows)
    text = f'{{"format": "{FORMAT}", "rows": [\n{lines}\n]}}\n'
    options.output.write_text(text, encoding="utf-8")
    options.markdown.write_text(f"{summary(rows)}\n{markdown(rows)}", encoding="utf-8")


def main() -> int:
    """Do what the command line says."""
    options = _arguments()
    # Read by libraries as they are loaded.
    os.environ |= {"OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"}
    from evaluation.targets import TARGETS

    if options.verb == "targets":
        print("\n".join(target.name for target in TARGETS))
    elif options.verb == "truth":
        _truths(options)
    elif options.verb == "tables":
        _tables(options)
    else:
        _run(options)
    return 0


if __name__ == "__main__":
    sys.exit(main())
