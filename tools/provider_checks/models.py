"""Do whole models behave on a provider as they do on the CPU, and in every run alike?"""

from __future__ import annotations

import argparse
import itertools
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
from compare_engines import Level, compare, context_of
from numpy.typing import NDArray

from onnxfi.engine import BatchResult, EngineContext, golden_run, open_engine
from onnxfi.faults import BitFlip, FaultSpace, Scenario
from onnxfi.outcome import Outcome, classify_samples
from onnxfi.sampling import SampledScenarios, UniformSampler
from provider_checks.found import Check, Effort, attempt

#: How far a fault-free output may be from the CPU's, of the largest output: kernels sum in other
#: orders, and the CPU computes float16 in float32.
DRIFT = {"fp32": 1e-4, "fp16": 2e-2}
#: Shares of samples that may be decided otherwise: top scores that tie within rounding.
TURNED = 1e-3
DECIDED = 1e-2
KINDS = ("weight", "activation")


def checks(effort: Effort) -> Iterator[Check]:
    """All checks of all models."""
    for path in effort.paths:
        for kind in KINDS:
            yield attempt(
                "fault-free and faulty runs repeat bit for bit, also in a new session",
                f"{path.name}, {kind}",
                lambda path=path, kind=kind: _repeats(path, kind, effort),
            )
    levels: tuple[Level, ...] = ("disabled", "all")
    for path, kind, level in itertools.product(effort.paths, KINDS, levels):
        yield attempt(
            "the engines agree: bit for bit without optimisation, else on due and critical",
            f"{path.name}, {kind}, optimisation {level}",
            lambda path=path, kind=kind, level=level: _engines_agree(path, kind, level, effort),
        )
    for path in effort.paths:
        for kind in KINDS:
            yield attempt(
                "the CPU decides the same",
                f"{path.name}, {kind}",
                lambda path=path, kind=kind: _decides_alike(path, kind, effort),
            )


def _engines_agree(path: Path, kind: str, level: Level, effort: Effort) -> tuple[bool, str]:
    options = argparse.Namespace(
        scenarios=effort.scenarios, images=effort.images, provider=effort.provider
    )
    agreements = compare(path, kind, level, options)
    told = (
        f"{found.engine} against bake, {found.samples:,} samples: {found.moved} with another"
        f" outcome, {found.decided} of them due or critical in one engine only; {found.bits} output"
        " elements differ"
        for found in agreements
    )
    return all(found.holds for found in agreements), "; ".join(told)


def _scenarios(context: EngineContext, effort: Effort) -> SampledScenarios:
    space = FaultSpace(context.sites, [BitFlip()])
    return SampledScenarios(space, UniformSampler(n=effort.scenarios, seed=23))


def _repeats(path: Path, kind: str, effort: Effort) -> tuple[bool, str]:
    """Three runs of the same scenarios: two in one engine, one in another."""
    context = context_of(path, kind, "all", effort.images, effort.provider)
    scenarios = [Scenario(number=0, groups=()), *_scenarios(context, effort)]
    first, second = (open_engine("ports", context) for _ in range(2))
    runs = 0
    differ = 0
    try:
        for scenario in scenarios:
            original = output_bytes(first.results(scenario))
            for engine in (first, second):
                again = output_bytes(engine.results(scenario))
                runs += 1
                differ += not np.array_equal(original, again)
    finally:
        first.close()
        second.close()
    return differ == 0, f"{differ} of {runs} repetitions differ"


def output_bytes(found: Iterator[BatchResult]) -> NDArray[np.uint8]:
    """All output bytes of a scenario, golden and faulty."""
    parts = []
    for result in found:
        for outputs in (result.golden, result.faulty or {}):
            parts += [np.frombuffer(value.tobytes(), np.uint8) for value in outputs.values()]
    return np.concatenate(parts)


def _decides_alike(path: Path, kind: str, effort: Effort) -> tuple[bool, str]:
    here = context_of(path, kind, "all", effort.images, effort.provider)
    cpu = context_of(path, kind, "all", effort.images)
    cpu = replace(cpu, profile=here.profile)  # the same batches, so that outputs pair up
    name = here.criterion.output
    mine, theirs = (_fault_free(context, name) for context in (here, cpu))
    drift = float(np.abs(mine - theirs).max() / np.abs(theirs).max())
    turned = int((mine.argmax(1) != theirs.argmax(1)).sum())
    samples, other, decided = _outcomes(here, cpu, effort)
    allowed = DRIFT["fp16" if "fp16" in path.name else "fp32"]
    ok = drift <= allowed and turned <= max(1, TURNED * len(mine))
    return ok and decided <= DECIDED * samples, (
        f"fault-free: outputs within {drift:.1e} of the largest ({allowed:.0e} allowed), {turned}"
        f" of {len(mine)} decisions turned; faulty: {other} of {samples:,} samples have another"
        f" outcome, {decided} of them due or critical on one side only"
    )


def _fault_free(context: EngineContext, name: str) -> NDArray[np.float64]:
    golden = golden_run(context.model, context.workload, context.profile, context.settings)
    return golden.samples(name).astype(np.float64)


def _outcomes(here: EngineContext, cpu: EngineContext, effort: Effort) -> tuple[int, int, int]:
    """Samples compared, those with another outcome, and those due or critical on one side."""
    samples = other = decided = 0
    mine, theirs = (open_engine("ports", context) for context in (here, cpu))
    try:
        for scenario in _scenarios(here, effort):
            pairs = zip(mine.results(scenario), theirs.results(scenario), strict=True)
            for pair in pairs:
                codes = [_codes(here, result) for result in pair]
                serious = [~np.isin(c, (Outcome.MASKED, Outcome.TOLERABLE)) for c in codes]
                samples += len(codes[0])
                other += int((codes[0] != codes[1]).sum())
                decided += int((serious[0] != serious[1]).sum())
    finally:
        mine.close()
        theirs.close()
    return samples, other, decided


def _codes(context: EngineContext, result: BatchResult) -> NDArray[np.int8]:
    if result.faulty is None:
        return np.full(result.window.samples, int(result.failure or 0), np.int8)
    return classify_samples(
        result.golden,
        result.faulty,
        context.profile.outputs,
        context.criterion,
        samples=result.window.samples,
    )
