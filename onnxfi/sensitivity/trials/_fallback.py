"""Scores from trials alone: for tensors that no rule and no probe covers."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from contextlib import closing

import numpy as np
from numpy.typing import NDArray

from onnxfi.bits import BitFormat, format_of, from_words
from onnxfi.engine import EngineContext
from onnxfi.faults import FaultSite
from onnxfi.sensitivity.rules import Progress
from onnxfi.sensitivity.scores import (
    DOSES,
    DOWN,
    UP,
    WHOLE,
    Axis,
    BitScores,
    Cost,
    Gain,
    Response,
    StoredScores,
    change,
)
from onnxfi.sensitivity.trials._trials import (
    Candidates,
    TrialOptions,
    Trials,
    candidates,
    distinct,
    flips,
    in_turn,
    stored_words,
)

Rung = tuple[int, int]
"""Direction and position of a dose in ``DOSES``."""
Measured = dict[Rung, float]

_SAME = 0.05  # losses that differ by less count as equal


def search(sizes: Mapping[Rung, int], measure: Callable[[Rung], float], most: int) -> Measured:
    """Measure losses at some doses: the largest first, then wherever they change most.

    Losses are assumed to rise with the dose: where the largest dose does nothing, no other is
    tried; where it loses something, doses are halved between those that lose differently.

    Args:
        sizes: How many trials a rung costs, by rung; those that faults reach.
        measure: Carries out the trials of a rung and gives the mean loss.
        most: Trials that may be spent; the largest dose of each direction is always tried.

    Returns:
        Losses by rung, of those tried.
    """
    measured: Measured = {}
    for direction in (UP, DOWN):
        places = [place for way, place in sizes if way == direction]
        if places:
            top = (direction, max(places))
            measured[top] = measure(top)
            most -= sizes[top]
    while True:
        gaps = [_widest(sizes, measured, way) for way in (UP, DOWN)]
        gap, rung = max(gaps, key=lambda each: each[0])
        if rung is None or gap < _SAME or sizes[rung] > most:
            return measured
        measured[rung] = measure(rung)
        most -= sizes[rung]


def curves(measured: Measured) -> NDArray[np.float64]:
    """Losses at all doses, from those at some.

    Between measured doses they are linear in the logarithm of the dose; below the smallest they
    fall with its square, above the largest they stay. A direction in which no fault goes has the
    losses of the other.

    Returns:
        float64 (2, doses), never falling with the dose.
    """
    scale = np.log(DOSES)
    lost = np.zeros((2, len(DOSES)))
    ways = {way for way, _ in measured}
    for way in ways:
        places = sorted(place for each, place in measured if each == way)
        values = [measured[way, place] for place in places]
        lost[way] = np.interp(scale, scale[places], values)
        below = slice(0, places[0])
        lost[way, below] = values[0] * (np.array(DOSES)[below] / DOSES[places[0]]) ** 2
    if len(ways) == 1:
        (way,) = ways
        lost[1 - way] = lost[way]
    found: NDArray[np.float64] = np.maximum.accumulate(lost, axis=1)
    return found


def _widest(
    sizes: Mapping[Rung, int], measured: Measured, direction: int
) -> tuple[float, Rung | None]:
    """Where neighbouring losses differ most, and the rung in the middle between them."""
    places = sorted(place for way, place in sizes if way == direction)
    below, best, middle = 0.0, 0.0, None
    untried: list[int] = []
    for place in places:
        rung = (direction, place)
        if rung not in measured:
            untried.append(place)
            continue
        gap = abs(measured[rung] - below)
        if untried and gap > best:
            best, middle = gap, (direction, untried[len(untried) // 2])
        below, untried = measured[rung], []
    return best, middle


_DEFAULT = TrialOptions()
_NOTHING = 1e-3  # share of the answers that counts as none: margins moved, no answer changed


def try_sites(
    context: EngineContext,
    sites: Sequence[FaultSite],
    options: TrialOptions = _DEFAULT,
    on_progress: Progress | None = None,
) -> tuple[dict[str, StoredScores | BitScores], Cost]:
    """Scores of sites from real faults in them.

    Of a stored tensor the doses of faults are the changes of the number, in multiples of the root
    mean square of the tensor (of thousands of its elements if it is larger). A response is measured
    by trials near some of these doses, in both directions; of the packed tensors of recurrent
    operators gate by gate, since gates saturate in different directions. In integers where a change
    means little (indices) doses only give the order. What a computed tensor holds is not known
    before the run; its scores are those of bits.

    Args:
        context: Model, calibration samples, criterion.
        sites: The sites.
        options: How many faults are tried.
        on_progress: Called with the sites done, and in all.

    Returns:
        Scores by site name, and what was run.

    Raises:
        ConfigError: No engine can fault a site.
        OnnxFIError: The fault-free model does not run.
    """
    found: dict[str, StoredScores | BitScores] = {}
    with closing(Trials(context, sites, options.stored)) as trials:
        for done, site in enumerate(in_turn(sites), start=1):
            if site.kind.stored:
                found[site.name] = _by_dose(context, site, trials, options)
            else:
                found[site.name] = _by_bit(site, trials, options)
            if on_progress is not None:
                on_progress(done, len(sites))
        return found, trials.cost


def _by_dose(
    context: EngineContext, site: FaultSite, trials: Trials, options: TrialOptions
) -> StoredScores:
    words = stored_words(context.model, site)
    pool = candidates(site, options.seed)
    looked_at = words[np.unique(pool.element)]
    values = from_words(looked_at, site.element, looked_at.shape).astype(np.float64)
    spread = _root_mean_square(values[np.isfinite(values)])
    done = change(words[pool.element], flips(site, pool.numbers), site.element)
    division = _gates(site)
    part_of = division.of(pool.element)

    def lost(chosen: NDArray[np.int64]) -> float:
        return float(trials.lost(site, flips(site, pool.numbers[chosen])).mean())

    most = options.stored if division.size == 1 else options.stored // 2

    def curve(mine: NDArray[np.bool_]) -> NDArray[np.float64]:
        rungs = ladder(pool, np.where(mine, done.amount / spread, 0.0), options.elements)
        sizes = {rung: len(chosen) for rung, chosen in rungs.items()}
        return curves(search(sizes, lambda rung: lost(rungs[rung]), most))

    def without_number(mine: NDArray[np.bool_]) -> float:
        chosen = distinct(pool, np.flatnonzero(done.broken & mine), options.elements)
        return lost(chosen) if len(chosen) else 1.0

    parts = [part_of == part for part in range(division.size)]
    response = Response(
        value=site.name,
        spread=spread,
        doses=np.array(DOSES),
        lost=np.stack([curve(mine) for mine in parts]),
        broken=np.array([without_number(mine) for mine in parts]),
    )
    gain = Gain(
        out=division, into=WHOLE, unit=np.array([1 / spread]), up=np.ones(1), down=np.zeros(1)
    )
    return StoredScores(element=site.element, words=words, gain=gain, response=response)


def _gates(site: FaultSite) -> Axis:
    """The division of a packed tensor of a recurrent operator into gates; others are one."""
    if site.gates is None or site.gate is not None or site.layout is None:
        return WHOLE
    axis = Axis.of_shape(site.layout.shape, site.gates.axis)
    return Axis(stride=axis.stride * site.gates.size, size=len(site.gates.blocks))


def ladder(
    pool: Candidates, doses: NDArray[np.float64], most: int
) -> dict[Rung, NDArray[np.int64]]:
    """Trial faults near each dose of responses, in both directions.

    Args:
        pool: Candidates.
        doses: float64 (m,): what each of them changes, in multiples of the spread; 0 where it
            changes nothing, or gives NaN.
        most: Faults a dose.

    Returns:
        Positions of candidates by direction and dose; doses that none comes near are left out.
    """
    scale = np.log2(DOSES)
    size = np.abs(doses)
    near = np.flatnonzero(size >= DOSES[0] / 2)
    place = np.log2(np.minimum(size[near], DOSES[-1]))
    apart = np.abs(place[:, None] - scale)
    nearest = apart.argmin(1)
    # What is within half an octave is as good as exact; among those, chance decides.
    rank = np.maximum(apart.min(1) - 0.5, 0.0)
    found: dict[Rung, NDArray[np.int64]] = {}
    for way, mine in ((UP, doses[near] > 0), (DOWN, doses[near] < 0)):
        for dose in range(len(DOSES)):
            here = np.flatnonzero(mine & (nearest == dose))
            if len(here):
                ranked = near[here[np.argsort(rank[here], kind="stable")]]
                found[way, dose] = distinct(pool, ranked, most)
    return found


def _by_bit(site: FaultSite, trials: Trials, options: TrialOptions) -> BitScores:
    """Bits from the top down, until none below is likely to lose anything."""
    pool = candidates(site, options.seed)
    form = format_of(site.element)
    lost = np.zeros(form.width)
    looks = _looks(form)
    for bit in reversed(range(form.width)):
        chosen = distinct(pool, np.flatnonzero(pool.bit == bit), options.bit_elements)
        lost[bit] = trials.lost(site, flips(site, pool.numbers[chosen])).mean()
        if bit in looks and lost[bit : bit + looks[bit]].max() < _NOTHING:
            break
    return BitScores(element=site.element, by_bit=lost)


def _looks(form: BitFormat) -> dict[int, int]:
    """After which bits it is asked whether the last ones lost nothing, and how many of them.

    Any two bits of an integer that follow each other, since changes get smaller. Of floats the sign
    and the two highest bits of the exponent, of which one makes the largest numbers; then, since
    which of the others matters depends on the number, any two behind the exponent.
    """
    if "exponent" not in form.fields:
        return dict.fromkeys(range(form.width - 1), 2)
    exponent = form.fields["exponent"]
    behind = dict.fromkeys(range(exponent.start), 2)
    return {exponent.stop - 2: form.width - exponent.stop + 2, **behind}


def _root_mean_square(values: NDArray[np.float64]) -> float:
    """Of finite numbers, however large; 1 if there is none but 0."""
    largest = float(np.abs(values).max(initial=0.0))
    return largest * float(np.sqrt(np.mean(np.square(values / largest)))) if largest else 1.0
