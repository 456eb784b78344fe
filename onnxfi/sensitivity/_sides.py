"""Checking rules by real faults: whether a direction that they call harmless is."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass, replace
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from onnxfi.engine import EngineContext
from onnxfi.faults import FaultSite
from onnxfi.sensitivity._candidates import Candidates, candidates, distinct
from onnxfi.sensitivity._cost import Cost
from onnxfi.sensitivity._response import DOWN, UP, Response
from onnxfi.sensitivity._stored import Shifts, StoredScores
from onnxfi.sensitivity._trials import Progress, TrialOptions, Trials, flips, in_turn

HARMLESS = 0.05
"""Share of answers lost below which a fault is called harmless."""
_WORDS = {UP: "upward", DOWN: "downward"}


class Checked(NamedTuple):
    """What checking gives.

    Attributes:
        scores: By site, those that real faults contradict replaced.
        notes: What was replaced, in sentences.
        cost: What was run.
    """

    scores: dict[str, StoredScores]
    notes: tuple[str, ...]
    cost: Cost


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Side:
    """Faults that shift their channels mainly in one direction.

    Attributes:
        direction: ``UP`` or ``DOWN``.
        doses: float64 (n,): how far.
        expected: float64 (n,): share of answers that they lose by the scores.
        real: float64 (n,): what they really lose.
    """

    direction: int
    doses: NDArray[np.float64]
    expected: NDArray[np.float64]
    real: NDArray[np.float64]

    @property
    def contradicted(self) -> bool:
        """Whether half of the faults are called harmless and are not."""
        wrong = (self.expected < HARMLESS) & (self.real >= HARMLESS)
        return bool(2 * np.count_nonzero(wrong) >= len(wrong) > 0)


def checked_sides(
    context: EngineContext,
    scores: Mapping[str, StoredScores],
    options: TrialOptions,
    on_progress: Progress | None = None,
) -> Checked:
    """Try the faults of the largest doses in both directions, and correct what they contradict.

    That a shift downwards does nothing behind a rectifier holds for operators as they are
    defined; a kernel that transforms its weights first, or a fusion, may have another way of
    computing, in which a huge number of either sign reaches every result.

    Args:
        context: Model, calibration samples, criterion, sites.
        scores: Scores by rules, by site name; others sites are left alone.
        options: How many faults are tried.
        on_progress: Told sites done, and in all.

    Raises:
        OnnxFIError: The fault-free model does not run.
    """
    sites = [site for site in context.sites if site.name in scores]
    found, notes = dict(scores), []
    with closing(Trials(context, sites, 2 * options.sides)) as trials:
        for done, site in enumerate(in_turn(sites), start=1):
            mine = scores[site.name]
            sides = _tried(site, mine, trials, options)
            found[site.name] = replace(mine, response=corrected(mine.response, sides))
            notes += [_note(site, side) for side in sides if side.contradicted]
            if on_progress is not None:
                on_progress(done, len(sites))
        return Checked(found, tuple(notes), trials.cost)


def corrected(response: Response, sides: Sequence[Side]) -> Response:
    """The response with the curves of the directions that real faults contradict replaced.

    They get the curve of the other direction; where that calls them harmless, too, no curve is
    below what real faults lost at such doses.

    Args:
        response: As by rules.
        sides: What was tried.
    """
    lost = response.lost.copy()
    for side in sides:
        if not side.contradicted:
            continue
        way = side.direction
        lost[:, way] = np.maximum(response.lost[:, way], response.lost[:, 1 - way])
        if lost[:, way, -1].mean() < HARMLESS:
            reached = response.doses >= min(side.doses.min(), response.doses[-1])
            lost[:, way, reached] = np.maximum(lost[:, way, reached], side.real.mean())
    return replace(response, lost=lost)


def largest(
    pool: Candidates, shifts: Shifts, direction: int, most: int, last: float
) -> NDArray[np.int64]:
    """Candidates that shift most in a direction, and more than in the other one.

    Args:
        pool: Candidates.
        shifts: What they do.
        direction: ``UP`` or ``DOWN``.
        most: How many are wanted, at different elements.
        last: Dose above which all are alike.
    """
    mine, other = (shifts.up, shifts.down) if direction == UP else (shifts.down, shifts.up)
    # Where both directions get the same, the fault is one for either.
    able = np.flatnonzero(~shifts.broken & (mine >= other) & (mine > 0))
    ranked = able[np.argsort(-np.minimum(mine[able], last), kind="stable")]
    return distinct(pool, ranked, most)


def _tried(
    site: FaultSite, scores: StoredScores, trials: Trials, options: TrialOptions
) -> list[Side]:
    pool = candidates(site, options.seed)
    shifts = scores.shifts(flips(site, pool.numbers))
    sides = []
    for way, doses in ((UP, shifts.up), (DOWN, shifts.down)):
        chosen = largest(pool, shifts, way, options.sides, scores.response.doses[-1])
        if len(chosen):
            faults = flips(site, pool.numbers[chosen])
            real = trials.lost(site, faults)
            expected = scores.lost(faults)
            sides.append(Side(direction=way, doses=doses[chosen], expected=expected, real=real))
    return sides


def _note(site: FaultSite, side: Side) -> str:
    return (
        f"{site.name}: {_WORDS[side.direction]} shifts were called harmless by the rule of what"
        f" follows, but of {len(side.real)} such faults the average lost"
        f" {100 * side.real.mean():.0f} % of the answers; they now count as those in the other"
        " direction"
    )
