"""Checking scores by real faults: whether shifts in a direction lose what is expected."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass, replace
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from onnxfi.engine import EngineContext
from onnxfi.faults import FaultSite
from onnxfi.sensitivity.rules import Progress
from onnxfi.sensitivity.scores import DOWN, UP, Cost, Response, Shifts, StoredScores
from onnxfi.sensitivity.trials._trials import (
    Candidates,
    TrialOptions,
    Trials,
    candidates,
    distinct,
    flips,
    in_turn,
)

_HARMLESS = 0.05  # share lost below which no difference counts
_WORDS = {UP: "upward", DOWN: "downward"}
# As if besides the faults that were tried a small part of one more had done what was expected:
# some faults that do nothing don't show that none does anything.
_DOUBT = 0.1


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
        channel: int64 (n,), which channel each shifts.
        doses: float64 (n,): how far.
        expected: float64 (n,): share of answers that they lose by the scores.
        real: float64 (n,): what they really lose.
    """

    direction: int
    channel: NDArray[np.int64]
    doses: NDArray[np.float64]
    expected: NDArray[np.float64]
    real: NDArray[np.float64]

    @property
    def contradicted(self) -> bool:
        """Whether on average more than twice, or less than half, of what was expected is lost."""
        expected, real = float(self.expected.mean()), float(self.real.mean())
        return max(expected, real) >= _HARMLESS and not expected / 2 <= real <= 2 * expected


def checked_sides(
    context: EngineContext,
    scores: Mapping[str, StoredScores],
    options: TrialOptions,
    on_progress: Progress | None = None,
    measured: Collection[str] = (),
) -> Checked:
    """Try the faults of the largest doses in both directions, and correct what they contradict.

    That a shift downwards does nothing behind a rectifier holds for operators as they are
    defined; a kernel that transforms its weights first, or a fusion, may have another way of
    computing, in which a huge number of either sign reaches every result. And what follows further
    on (saturation, a threshold that fires anyway) may make harmless what no rule of the next
    operator knows to be. Probes add to numbers; integers that overflow start again from the other
    end.

    Args:
        context: Model, calibration samples, criterion, sites.
        scores: Scores by rules or probes, by site name; other sites are left alone.
        options: How many faults are tried.
        on_progress: Called with the sites done, and in all.
        measured: Sites whose responses were measured by probes.

    Raises:
        OnnxFIError: The fault-free model does not run.
    """
    sites = [site for site in context.sites if site.name in scores]
    found, notes = dict(scores), []
    with closing(Trials(context, sites, 2 * options.sides)) as trials:
        for done, site in enumerate(in_turn(sites), start=1):
            mine = scores[site.name]
            sides = _tried(site, mine, trials, options)
            probed = site.name in measured
            fitted = corrected(mine.response, sides, measured=probed)
            found[site.name] = replace(mine, response=fitted)
            notes += [_note(site, side, probed) for side in sides if side.contradicted]
            if on_progress is not None:
                on_progress(done, len(sites))
        return Checked(found, tuple(notes), trials.cost)


def corrected(response: Response, sides: Sequence[Side], *, measured: bool = False) -> Response:
    """The response with the curves of directions that real faults contradict made to fit them.

    Where less is lost than expected, the curve is lowered as a whole. Where more is, the higher of
    the curves of both directions takes its place, raised or lowered to what was lost; if that is
    nothing, too, no curve is below what was lost. A curve that was measured is left alone below the
    doses that were tried, but for staying below what is lost at these.

    Args:
        response: As by rules or probes.
        sides: What was tried.
        measured: It is by probes.
    """
    lost = response.lost.copy()
    for side in sides:
        if not side.contradicted:
            continue
        own = response.lost[:, side.direction]
        lower = side.real.mean() < side.expected.mean()
        fitted = own * _factor(side) if lower else _raised(response, side)
        if measured:
            tried = response.doses >= min(side.doses.min(), response.doses[-1])
            fitted = np.where(tried, fitted, np.minimum(own, fitted[:, -1:]))
        lost[:, side.direction] = fitted
    return replace(response, lost=lost)


def _factor(side: Side) -> float:
    doubt = _DOUBT * side.expected.mean()
    return float((side.real.sum() + doubt) / (side.expected.sum() + doubt))


def _raised(response: Response, side: Side) -> NDArray[np.float64]:
    way, real = side.direction, float(side.real.mean())
    own, other = response.lost[:, way], response.lost[:, 1 - way]
    curve = np.maximum(own, other)
    both = replace(response, lost=np.stack([curve, curve], axis=1))
    there = float(both.at(side.channel, way, side.doses).mean())
    if there > 0:
        return np.clip(curve * (real / there), own, 1.0)
    tried = response.doses >= min(side.doses.min(), response.doses[-1])
    return np.maximum(own, np.where(tried, real, 0.0))


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
            sides.append(
                Side(
                    direction=way,
                    channel=shifts.channel[chosen],
                    doses=doses[chosen],
                    expected=expected,
                    real=real,
                )
            )
    return sides


def _note(site: FaultSite, side: Side, probed: bool) -> str:
    real, expected = (100 * each.mean() for each in (side.real, side.expected))
    said = "as probes say" if probed else "as the rule of what follows says"
    return (
        f"{site.name}: {_WORDS[side.direction]} shifts lose {real:.0f} % of the answers, not"
        f" {expected:.0f} % {said} ({len(side.real)} faults tried); scores are corrected"
    )
