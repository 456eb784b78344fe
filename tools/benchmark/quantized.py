"""T3 on a quantized model: what open sites cost, and which integer kernels they leave."""

from __future__ import annotations

from contextlib import closing

from benchmark.injections import CAMPAIGN, interleave, ratios
from benchmark.rows import Row
from benchmark.setting import activations, context_of, fault_free, for_engine, one_per_site
from benchmark.stats import timed
from benchmark.subjects import Subject
from onnxfi.engine import open_engine
from onnxfi.engine.engines import EngineBase
from onnxfi.engine.executable import integer_kernels, optimized_with
from onnxfi.faults import Scenario

ONE = "one integer site armed"
EVERY = "every integer site armed"
_ROUNDS = 24


def armed(subject: Subject, engine: str, limit_s: float) -> list[Row]:
    """A flip in one integer activation, and one in each of them at once, over the whole batch.

    Beside the whole injection stands the run with its faults alone, without golden outputs to
    compare with and outcomes to count.

    Args:
        subject: The model.
        engine: Name of the engine.
        limit_s: Seconds after which no further injection begins, for each of both.
    """
    prepared = timed(lambda: context_of(subject, activations(subject)))
    context = for_engine(engine, prepared.value)
    base = fault_free(subject, context)
    settings = context.settings
    deployed = integer_kernels(optimized_with(context.model, (), settings))
    opened = timed(lambda: open_engine(engine, context))
    rows = []
    with closing(opened.value) as running:
        assert isinstance(running, EngineBase)
        for case in (ONE, EVERY):
            rounds = [one_per_site(context.sites, seed) for seed in range(_ROUNDS)]
            # Site by site, as the scenarios of a campaign's blocks are carried out.
            scenarios = [each for some in zip(*rounds, strict=True) for each in some]
            if case == EVERY:
                scenarios = [_at_once(some) for some in rounds for _ in range(4)]
            once = rounds[0]
            first = sum(timed(lambda s=s: running.run(s)).cpu for s in once)  # type: ignore[misc]
            cpu, wall = interleave(base, running, scenarios, limit_s)
            runs, _ = interleave(base, _Runs(running), scenarios, limit_s)  # type: ignore[arg-type]
            setup = opened.cpu + max(0.0, first - len(once) * cpu.mean())
            kept = integer_kernels(optimized_with(context.model, context.sites, settings))
            figures = {
                **ratios(cpu, wall),
                "armed_run_ratio": runs.mean_ratio(),
                "with_setup_ratio": cpu.mean_ratio((prepared.cpu + setup) / CAMPAIGN),
                "sites_touched": 1 if case == ONE else len(context.sites),
                "sites": len(context.sites),
                "samples": context.workload.samples,
                "integer_kernels": kept,
                "integer_kernels_deployed": deployed,
            }
            rows.append(
                Row(task="t3", model=subject.name, engine=engine, case=case, figures=figures)
            )
    return rows


class _Runs:
    """An engine of which only the faulty runs are wanted."""

    def __init__(self, engine: EngineBase) -> None:
        self._engine = engine

    def run(self, scenario: Scenario) -> None:
        """Arm a scenario and run it."""
        ready, cut = self._engine.arm(scenario)
        for window in cut:
            ready.faulty(window, False)


def _at_once(scenarios: list[Scenario]) -> Scenario:
    return Scenario(number=0, groups=tuple(group for each in scenarios for group in each.groups))
