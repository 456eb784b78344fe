"""T5: the throughput of a campaign by the number of its worker processes."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np

import onnxfi as fi
from benchmark.load import QUIET, Others, others_now
from benchmark.rows import Figure, Row
from benchmark.setting import CannotError
from benchmark.stats import timed
from benchmark.subjects import Subject

_SEED = 6


@dataclass(frozen=True, slots=True, kw_only=True)
class Campaigns:
    """Which campaigns are timed.

    Attributes:
        seconds: About how long one takes with a single worker.
        rounds: How often each number of workers has its turn.
        trial: Injections of a first campaign, which tells how many take that long.
        counts: Numbers of workers; speed-ups are over the first.
        alone: Refuse if other work is found, before or meanwhile.
    """

    seconds: float
    rounds: int
    trial: int = 200
    counts: tuple[int, ...] = (1, 2)
    alone: bool = True


def workers(subject: Subject, campaigns: Campaigns) -> list[Row]:
    """The same campaign with several numbers of worker processes, taking turns.

    Starting workers and opening engines is part of it, making the campaign is not. Wall time is
    what counts, so other work on the machine would show.

    Raises:
        CannotError: There is such work, or there are fewer cores than workers.
    """
    _refuse_if_busy(campaigns, others_now(), "are kept busy")
    cores = os.cpu_count() or 1
    if campaigns.alone and cores < max(campaigns.counts):
        raise CannotError(f"{max(campaigns.counts)} workers on {cores} cores measure nothing")
    with tempfile.TemporaryDirectory() as folder:
        run = _runner(subject, Path(folder))
        injections = _enough(run, campaigns)
        watch = Others()
        walls = _in_turns(run, campaigns, injections)
        others = watch.cores()
    _refuse_if_busy(campaigns, others, "were kept busy meanwhile")
    rows = []
    alone = walls[campaigns.counts[0]]
    for count, own in walls.items():
        # Rounds are paired, since a machine's speed changes between them.
        speedups = [one / many for one, many in zip(alone, own, strict=True)]
        figures: dict[str, Figure] = {
            "injections": injections,
            "rounds": campaigns.rounds,
            "wall_s": float(np.median(own)),
            "injections_per_s": injections / float(np.median(own)),
            "speedup": float(np.median(speedups)),
            "others_cores": others,
            "cores": cores,
        }
        case = f"{count} worker{'s' if count > 1 else ''}"
        rows.append(Row(task="t5", model=subject.name, engine="auto", case=case, figures=figures))
    return rows


def _refuse_if_busy(campaigns: Campaigns, others: float, verb: str) -> None:
    if campaigns.alone and others > QUIET:
        raise CannotError(
            f"{others:.2f} cores {verb} by other work, which wall time would show;"
            f" measure on a quiet machine"
        )


def _runner(subject: Subject, folder: Path) -> Callable[[int, int, str], float]:
    """A function of injections, workers and a name, which gives the wall seconds of a campaign."""

    def run(injections: int, count: int, name: str) -> float:
        made = fi.Campaign.create(
            folder / name,
            model=subject.model,
            inputs=subject.inputs,
            sampler=fi.UniformSampler(n=injections, seed=_SEED),
        )
        return timed(lambda: made.run(workers=count)).wall

    return run


def _enough(run: Callable[[int, int, str], float], campaigns: Campaigns) -> int:
    """Injections that take about as long as wanted with one worker."""
    wall = run(campaigns.trial, 1, "trial")
    return max(campaigns.trial, round(campaigns.trial * campaigns.seconds / wall))


def _in_turns(
    run: Callable[[int, int, str], float], campaigns: Campaigns, injections: int
) -> dict[int, list[float]]:
    walls: dict[int, list[float]] = {count: [] for count in campaigns.counts}
    for turn in range(campaigns.rounds):
        # Every second round goes backwards, so that a drift of the machine's speed cancels.
        order = campaigns.counts if turn % 2 == 0 else campaigns.counts[::-1]
        for count in order:
            walls[count].append(run(injections, count, f"{turn}-{count}"))
    return walls
