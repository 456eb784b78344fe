"""Probes: channels of values are shifted on purpose, to see how much of the answers is lost."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass, field
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from onnxfi.engine import EngineContext, Watchdog
from onnxfi.errors import UnsupportedModelError
from onnxfi.sensitivity.probes._ports import ShiftPort, shift_port
from onnxfi.sensitivity.probes._runs import Shift, ShiftRuns
from onnxfi.sensitivity.rules import Target
from onnxfi.sensitivity.scores import DOSES, DOWN, UP, Cost, Response, likelihood
from onnxfi.settings import SensitivityOptions

Apart = Callable[[float, float], bool]
"""Whether two shares lost differ by so much that what lies between has to be known."""


class Curve:
    """What is lost when one channel is shifted in one direction, known at some doses.

    More shift never loses less (propagation is nearly monotone in practice), so one probe with the
    largest dose finds channels that never matter, and a rise is found by halving.

    Args:
        doses: float64 (d,), ascending.
        amounts: float64 (d,), what each dose adds, never falling: doses beyond what numbers can
            hold add the same, those below what they can tell apart add nothing.
        apart: Between which neighbouring probes to look further; elsewhere it is interpolated.
    """

    def __init__(
        self, doses: NDArray[np.float64], amounts: NDArray[np.float64], apart: Apart
    ) -> None:
        self._apart = apart
        # Doses that add the same are one place of the curve, that of the first of them.
        self._amounts, first, self._place = np.unique(
            amounts, return_index=True, return_inverse=True
        )
        self._doses = doses[first]
        self._lost = np.full(len(self._amounts), np.nan)
        self._lost[self._amounts == 0] = 0.0

    def wanted(self) -> Iterator[float]:
        """Amounts to probe next; none once the curve is known well enough."""
        known = np.flatnonzero(~np.isnan(self._lost))
        last = len(self._lost) - 1
        if not len(known) or known[-1] != last:
            yield float(self._amounts[last])
            return
        rising = np.maximum.accumulate(self._lost[known])
        # Before the first place: no shift, nothing lost.
        places, heights = [-1, *known.tolist()], [0.0, *rising.tolist()]
        for (low, before), (high, after) in pairwise(zip(places, heights, strict=True)):
            if high - low > 1 and self._apart(before, after):
                yield float(self._amounts[(low + high) // 2])

    def add(self, amount: float, lost: float) -> None:
        """What a probe has shown."""
        self._lost[np.searchsorted(self._amounts, amount)] = lost

    def lost(self) -> NDArray[np.float64]:
        """Share lost at every dose, float64 (d,), never falling."""
        known = np.flatnonzero(~np.isnan(self._lost))
        heights = np.maximum.accumulate(self._lost[known])
        scale = np.log(self._doses)
        found = np.interp(scale, scale[known], heights)
        before = self._doses < self._doses[known[0]]
        found[before] = heights[0] * (self._doses[before] / self._doses[known[0]]) ** 2
        whole: NDArray[np.float64] = found[self._place]
        return whole


# Ports that a session has at most: each is a pass over its value in every run, armed or not.
_PORTS = 24
# Channels in which NaN is tried before its loss is assumed to be alike in all.
_BROKEN = 8
_ALIKE = 0.1
# How far neighbouring points of a curve may lie apart: by what they say of the likelihood of a
# failure (tried on LeNet-5 and a digits CNN: closer finds no more failures, further fewer), and
# where it is a mean over elements of which some lose much, by the share itself.
_LIKELY_STEP = 0.2
_LOST_STEP = 0.1
# Probes of a channel that curves usually take, to say what is to come.
_USUAL = 6

Progress = Callable[[int, int], None]
Key = tuple[str, bool]
"""Name of a target, and whether whole channels were shifted."""


def probe(
    context: EngineContext,
    targets: Sequence[Target],
    options: SensitivityOptions,
    doses: Sequence[float] = DOSES,
    on_progress: Progress | None = None,
) -> tuple[dict[Key, Response], Cost]:
    """Measure the responses of values by shifting their channels.

    A shift is added behind the value by an extra input of the model, so that one session serves
    hundreds of them, and each sample of a run has its own. Of each channel and direction the
    largest dose comes first; where it loses something, the rise is found by bisection. Shifts of
    whole channels that lose half of the first 8 samples are not tried on the others. Whole
    targets have all elements of the channel shifted, others one element, a different one in
    each calibration sample.

    Of values with more channels than the options allow only some are probed, spread evenly. The
    others get the mean of those: no better is known of them, and it keeps them comparable.

    Args:
        context: Model, calibration samples, profile (with layouts of the values), settings and
            criterion.
        targets: Values to shift; the same may be once whole and once not.
        options: How many channels, the drop that counts, and the seed of all choices.
        doses: Shifts in multiples of the value's spread, ascending, positive.
        on_progress: Called with the probes done, and with the number expected so far.

    Returns:
        Responses by target, and what they cost. Values that can't be shifted are left
        out: those in nested graphs or in blocks of channels, of unknown layout, or of an element
        type without arithmetic in graphs. ``broken`` is the loss with NaN injected into the
        channel; of integers, which have none, the loss at the largest dose.

    Raises:
        GoldenError: The model fails on the samples.
        BackendError: onnxruntime refuses the model with the ports.
    """
    scale = np.array(doses, np.float64)
    found = (shift_port(context.model, each, context.profile, options.seed) for each in targets)
    ports = [port for port in found if port is not None]
    plans = [_Plan.of(port, scale, options) for port in ports]
    groups = list(_groups(plans))
    responses: dict[Key, Response] = {}
    cost = Cost()
    counter = _Counter(sum(len(plan.channels) * _USUAL for plan in plans), on_progress)
    with closing(Watchdog()) as watchdog:
        for group in groups:
            try:
                runs = ShiftRuns(context, [plan.port for plan in group], watchdog)
            except UnsupportedModelError:
                continue  # the model can't be raised to what the ports need
            _Prober(runs, group, counter).all()
            cost += runs.cost
            responses |= {plan.key: plan.response(scale) for plan in group}
    counter.end()
    return responses, cost


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class _Plan:
    """What is probed of one target, and what has been found.

    Attributes:
        port: Its port.
        channels: int64, the channels that are probed, ascending.
        curves: One for each of them and direction.
        broken: Loss with NaN injected, by channel, as far as it is known.
    """

    port: ShiftPort
    channels: NDArray[np.int64]
    curves: tuple[tuple[Curve, Curve], ...]
    broken: dict[int, float] = field(default_factory=dict)

    @classmethod
    def of(cls, port: ShiftPort, doses: NDArray[np.float64], options: SensitivityOptions) -> _Plan:
        target = port.target
        most = options.max_channels if target.whole else options.max_element_channels
        channels = _evenly(target.channels, most, float(port.offsets[0]))
        reached = np.minimum(doses, target.limit) * target.spread
        amounts = port.arithmetic.amounts(reached)
        apart = _likely_apart(options.drop) if target.whole else _lost_apart(options.drop)
        curves = tuple(
            (Curve(doses, amounts, apart), Curve(doses, amounts, apart)) for _ in channels
        )
        return cls(port=port, channels=channels, curves=curves)

    @property
    def key(self) -> Key:
        """Of the response."""
        return self.port.target.name, self.port.target.whole

    def wanted(self) -> Iterator[tuple[int, int, float]]:
        """Place among the channels, direction and amount of all probes to come next."""
        for place, pair in enumerate(self.curves):
            for direction in (UP, DOWN):
                for amount in pair[direction].wanted():
                    yield place, direction, amount

    def unbroken(self) -> list[int]:
        """Positions of channels to inject NaN into next."""
        if not self.port.arithmetic.floating:
            return []
        if not self.broken:
            return [int(place) for place in _evenly(len(self.channels), _BROKEN, 0.5)]
        known = list(self.broken.values())
        if max(known) - min(known) <= _ALIKE:
            return []
        return [place for place in range(len(self.channels)) if place not in self.broken]

    def response(self, doses: NDArray[np.float64]) -> Response:
        """What has been found, for all channels."""
        target = self.port.target
        probed = np.array([[pair[way].lost() for way in (UP, DOWN)] for pair in self.curves])
        broken = probed[..., -1].max(axis=1)
        if self.broken:
            rest = float(np.mean(list(self.broken.values())))
            broken = np.array([self.broken.get(k, rest) for k in range(len(self.channels))])
        lost = np.tile(probed.mean(axis=0), (target.channels, 1, 1))
        lost[self.channels] = probed
        all_broken = np.full(target.channels, broken.mean())
        all_broken[self.channels] = broken
        return Response(
            value=target.name, spread=target.spread, doses=doses, lost=lost, broken=all_broken
        )


class _Prober:
    """Probes the targets of a session, in rounds that have all their channels side by side."""

    def __init__(self, runs: ShiftRuns, plans: Sequence[_Plan], counter: _Counter) -> None:
        self._runs = runs
        self._plans = tuple(plans)
        self._counter = counter
        counter.begin(sum(len(plan.channels) * _USUAL for plan in plans))

    def all(self) -> None:
        """Probe until all curves are known."""
        while self._round():
            pass

    def _round(self) -> bool:
        """One round; whether there was anything to probe."""
        shifts: list[Shift] = []
        tell: list[Callable[[float], None]] = []
        for number, plan in enumerate(self._plans):
            for place, way, amount in plan.wanted():
                signed = amount if way == UP else -amount
                shifts.append(Shift(number, int(plan.channels[place]), signed))
                tell.append(_adding(plan.curves[place][way], amount))
            for place in plan.unbroken():
                shifts.append(Shift(number, int(plan.channels[place]), np.nan))
                tell.append(_setting(plan.broken, place))
        self._counter.found(len(shifts))
        for part in range(0, len(shifts), _TOLD):
            lost = self._runs.lost(shifts[part : part + _TOLD])
            for say, share in zip(tell[part : part + _TOLD], lost.tolist(), strict=True):
                say(share)
            self._counter.add(len(lost))
        return bool(shifts)


_TOLD = 64  # probes between two reports of progress


def _adding(curve: Curve, amount: float) -> Callable[[float], None]:
    return lambda lost: curve.add(amount, lost)


def _setting(broken: dict[int, float], place: int) -> Callable[[float], None]:
    return lambda lost: broken.__setitem__(place, lost)


class _Counter:
    """Probes done and expected; the expectation is corrected as curves turn out."""

    def __init__(self, guess: int, on_progress: Progress | None) -> None:
        self._ahead = guess
        self._here = 0
        self._done = 0
        self._queued = 0
        self._told = on_progress

    def begin(self, guess: int) -> None:
        """The next targets begin, of which so many probes were guessed."""
        self._ahead -= guess
        self._here = self._done + guess

    def found(self, count: int) -> None:
        """So many probes are to come next."""
        self._queued = self._done + count

    def add(self, count: int) -> None:
        """So many are done."""
        self._done += count
        if self._told is not None:
            self._told(self._done, max(self._here, self._queued, self._done) + self._ahead)

    def end(self) -> None:
        """All are done."""
        if self._told is not None:
            self._told(self._done, self._done)


def _likely_apart(drop: float) -> Apart:
    def apart(before: float, after: float) -> bool:
        low, high = likelihood(np.array([before, after]), drop)
        return bool(high - low > _LIKELY_STEP)

    return apart


def _lost_apart(drop: float) -> Apart:
    likely = _likely_apart(drop)
    return lambda before, after: after - before > _LOST_STEP or likely(before, after)


def _groups(plans: Sequence[_Plan]) -> Iterator[list[_Plan]]:
    """Targets that share a session: at most 24 ports, and one for each value."""
    group: list[_Plan] = []
    shared: set[str] = set()
    for plan in plans:
        values = {each.value for each in plan.port.target.values}
        if group and (len(shared) + len(values) > _PORTS or values & shared):
            yield group
            group, shared = [], set()
        group.append(plan)
        shared |= values
    if group:
        yield group


def _evenly(count: int, most: int, start: float) -> NDArray[np.int64]:
    """At most so many of the numbers below ``count``, evenly spread; ``start``: 0..1."""
    if count <= most:
        return np.arange(count)
    return ((np.arange(most) + start) * count / most).astype(np.int64)
