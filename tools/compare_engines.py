"""Do the engines agree? Random scenarios through all of them, on every model of the zoo.

Each engine is compared with `bake`. For each model, kind of site and optimisation level: how many
samples have the same outcome, how many of the rest differ in `due` or `critical`, and how far the
fault-free outputs of the engine's session are from those of the untouched model.

    python tools/compare_engines.py                     # the table of docs/engines.md
    python tools/compare_engines.py --scenarios 200 --only resnet8

Exits with 1 if the engines differ at all with optimisation disabled, or in `critical` or `due` of
more than one sample in 10,000 at the default level.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from agreement.setting import MODELS, Level, context_of, engines_for

from onnxfi.engine import BatchResult, EngineContext, Golden, golden_run, open_engine
from onnxfi.faults import BitFlip, FaultSpace
from onnxfi.outcome import Outcome, RunOutputs, classify_samples
from onnxfi.sampling import SampledScenarios, UniformSampler

ALLOWED = 1e-4


@dataclass(frozen=True, slots=True, kw_only=True)
class Agreement:
    """What a comparison found.

    Attributes:
        model: File name.
        engine: The engine that was compared with ``bake``.
        kind: Kind of the sites.
        level: Optimisation level.
        scenarios: Scenarios compared.
        samples: Samples compared, over all scenarios.
        moved: Samples with different outcomes.
        decided: Those of them that are due or critical in one engine only.
        bits: Output elements that differ in some bit.
        drift: Largest difference of a fault-free output, of the engine against untouched.
        turned: Fault-free decisions that differ between the two, all scenarios together.
    """

    model: str
    engine: str
    kind: str
    level: Level
    scenarios: int
    samples: int = 0
    moved: int = 0
    decided: int = 0
    bits: int = 0
    drift: float = 0.0
    turned: int = 0

    @property
    def holds(self) -> bool:
        """Whether the engine agrees with ``bake`` as the documentation promises."""
        if self.level == "disabled":
            return self.bits == 0
        return self.decided <= ALLOWED * self.samples


def compare(path: Path, kind: str, level: Level, options: argparse.Namespace) -> list[Agreement]:
    """Run the same scenarios through all engines; one entry for each but ``bake``."""
    context = context_of(path, kind, level, options.images, options.provider)
    space = FaultSpace(context.sites, [BitFlip()])
    scenarios = SampledScenarios(space, UniformSampler(n=options.scenarios, seed=11))
    plain = golden_run(context.model, context.workload, context.profile, context.settings)
    names = engines_for(context)
    found = {
        name: Agreement(
            model=path.name, engine=name, kind=kind, level=level, scenarios=options.scenarios
        )
        for name in names
        if name != "bake"
    }
    with ExitStack() as stack:
        engines = {name: open_engine(name, context) for name in names}
        for engine in engines.values():
            stack.callback(engine.close)
        for scenario in scenarios:
            reference = list(engines["bake"].results(scenario))
            for name, total in found.items():
                results = list(engines[name].results(scenario))
                found[name] = _summed(total, context, (reference, results), plain)
    return list(found.values())


def _summed(
    total: Agreement,
    context: EngineContext,
    found: tuple[list[BatchResult], list[BatchResult]],
    plain: Golden,
) -> Agreement:
    for mine, theirs, clean in zip(*found, plain.outputs, strict=True):
        total = _add(total, context, (mine, theirs), clean)
    return total


def _add(
    total: Agreement,
    context: EngineContext,
    pair: tuple[BatchResult, BatchResult],
    clean: RunOutputs,
) -> Agreement:
    layouts, bound = context.profile.outputs, context.criterion
    codes = []
    for result in pair:
        if result.faulty is None:
            failure = result.failure or Outcome.DUE_EXCEPTION
            codes.append(np.full(result.window.samples, int(failure), np.int8))
        else:
            codes.append(
                classify_samples(
                    result.golden, result.faulty, layouts, bound, samples=result.window.samples
                )
            )
    serious = [np.isin(c, (Outcome.MASKED, Outcome.TOLERABLE), invert=True) for c in codes]
    bits, name = 0, bound.output
    faulty = [result.faulty[name].view(np.uint32) for result in pair if result.faulty is not None]
    if len(faulty) == len(pair):
        bits = int(np.count_nonzero(faulty[0] != faulty[1]))
    own, original = pair[1].golden[name], clean[name]
    return replace(
        total,
        samples=total.samples + len(codes[0]),
        moved=total.moved + int((codes[0] != codes[1]).sum()),
        decided=total.decided + int((serious[0] != serious[1]).sum()),
        bits=total.bits + bits,
        drift=max(total.drift, float(np.abs(own - original).max())),
        turned=total.turned + int((own.argmax(1) != original.argmax(1)).sum()),
    )


def table(found: list[Agreement]) -> Iterator[str]:
    """The Markdown that the documentation quotes."""
    yield (
        "| model | engine | sites | optimisation | samples | other outcome "
        "| other due or critical | fault-free drift | fault-free decisions turned |"
    )
    yield "|---|---|---|---|---:|---:|---:|---:|---:|"
    quiet = [a for a in found if not (a.moved or a.decided or a.bits or a.drift or a.turned)]
    for a in found:
        if a in quiet:
            continue
        yield (
            f"| {a.model} | {a.engine} | {a.kind} | {a.level} | {a.samples:,} | {a.moved} "
            f"| {a.decided} | {a.drift:.2g} | {a.turned} |"
        )
    samples = sum(a.samples for a in found)
    yield (
        f"| all {len(found)} lines, {len(quiet)} of them with nothing but zeros | | | "
        f"| {samples:,} | {sum(a.moved for a in found)} | {sum(a.decided for a in found)} | "
        f"{max(a.drift for a in found):.2g} | {sum(a.turned for a in found)} |"
    )


def main() -> int:
    """Compare, print, and say by the exit code whether the promises hold."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--scenarios", type=int, default=60, help="a model, kind and level")
    parser.add_argument("--images", type=int, default=100)
    parser.add_argument("--provider", default="cpu", help="execution provider of both engines")
    parser.add_argument("--only", default="", help="only models whose name contains this")
    options = parser.parse_args()
    found = []
    levels: tuple[Level, ...] = ("disabled", "all")
    paths = [path for path in sorted(MODELS.glob("*.onnx")) if options.only in path.name]
    for path in paths:
        for kind in ("weight", "activation"):
            for level in levels:
                found.extend(compare(path, kind, level, options))
                print(f"{path.name} {kind} {level}", file=sys.stderr)
    print("\n".join(table(found)))
    broken = [a for a in found if not a.holds]
    for a in broken:
        print(f"DIFFER: {a}", file=sys.stderr)
    return 1 if broken else 0


if __name__ == "__main__":
    sys.exit(main())
