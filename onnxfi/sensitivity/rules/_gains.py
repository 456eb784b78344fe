"""Gains: how far an element's change shifts a value, and which values faults shift."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from onnxfi.bits import ElementType, format_of
from onnxfi.faults import FaultSite
from onnxfi.graph import Model
from onnxfi.sensitivity.rules._calibrate import Calibration, ChannelStatistics
from onnxfi.sensitivity.rules._entries import (
    Entry,
    EntryKind,
    Target,
    ValueChannels,
    stored_numbers,
)
from onnxfi.sensitivity.rules._plan import ScoringPlan
from onnxfi.sensitivity.scores import WHOLE, Axis, Gain


def gain_of(
    model: Model, site: FaultSite, entry: Entry, calibration: Calibration, spread: float
) -> Gain:
    """How changes of a stored tensor shift the values that it goes into.

    Multiplied with another operand and summed, a change D of an element shifts the output channel
    by D x, with x what the operand's channel holds; the size of that shift is taken as D times the
    root mean square of the positive and of the negative part of x.

    Args:
        model: The model.
        site: The stored tensor.
        entry: What is done with it.
        calibration: Statistics of the values and sources.
        spread: Of the values; the unit of doses.
    """
    shape = () if site.layout is None else site.layout.shape
    out = WHOLE if entry.out is None else Axis.of_shape(shape, entry.out)
    unit = (
        np.abs(entry.factor) * _product(model, entry.scales) / _product(model, entry.steps) / spread
    )
    into, group_out = WHOLE, 0
    met = _ONLY_UP
    if entry.kind is EntryKind.MULTIPLIED and entry.into is not None:
        into = Axis.of_shape(shape, entry.into)
        met = _pooled(entry.sources, calibration, into.size * entry.groups)
        group_out = out.size // entry.groups if entry.groups > 1 else 0
    elif entry.kind is EntryKind.STRETCHED:
        into = out
        met = _relative(_pooled(entry.values, calibration, out.size), _numbers(model, site.tensor))
    if entry.factor < 0:
        met = met.turned(np.True_)
    return Gain(
        out=out,
        into=into,
        unit=unit,
        up=met.up,
        down=met.down,
        up_share=met.up_share,
        down_share=met.down_share,
        group_out=group_out,
    )


class _Met(NamedTuple):
    """What changes of an element meet: sizes by channel, and in which share of the samples."""

    up: NDArray[np.float64]
    down: NDArray[np.float64]
    up_share: NDArray[np.float64]
    down_share: NDArray[np.float64]

    def turned(self, where: NDArray[np.bool_] | np.bool_) -> _Met:
        """Up for down in some channels."""
        return _Met(
            np.where(where, self.down, self.up),
            np.where(where, self.up, self.down),
            np.where(where, self.down_share, self.up_share),
            np.where(where, self.up_share, self.down_share),
        )


_ONLY_UP = _Met(np.ones(1), np.zeros(1), np.ones(1), np.zeros(1))


def _pooled(values: Sequence[ValueChannels], calibration: Calibration, channels: int) -> _Met:
    """What several uses meet together, by channel."""
    seen = [calibration.statistics[each.value] for each in values]

    def mean(of: Callable[[ChannelStatistics], NDArray[np.float64]]) -> NDArray[np.float64]:
        found: NDArray[np.float64] = np.mean([_fitted(of(e), channels) for e in seen], axis=0)
        return found

    return _Met(
        np.sqrt(mean(lambda each: np.square(each.up))),
        np.sqrt(mean(lambda each: np.square(each.down))),
        mean(lambda each: each.up_share),
        mean(lambda each: each.down_share),
    )


def _relative(met: _Met, stored: NDArray[np.float64]) -> _Met:
    """For each unit of a stored factor, where what is met has been multiplied with it."""
    size = np.maximum(np.abs(stored), np.abs(stored).max(initial=0.0) * 1e-6 + 1e-30)
    return met._replace(up=met.up / size, down=met.down / size).turned(stored < 0)


def _fitted(values: NDArray[np.float64], channels: int) -> NDArray[np.float64]:
    """Values by channel, or their mean where channels don't correspond."""
    return values if len(values) == channels else np.full(channels, float(values.mean()))


def _product(model: Model, names: Sequence[str]) -> NDArray[np.float64]:
    """Stored tensors of one number, or one a channel, multiplied."""
    found = np.ones(1)
    for name in names:
        found = found * _numbers(model, name)
    return found


def _numbers(model: Model, name: str) -> NDArray[np.float64]:
    numbers = stored_numbers(model, name)
    return np.ones(1) if numbers is None else numbers


def shifted(
    model: Model, sites: Mapping[str, FaultSite], found: ScoringPlan, seen: Calibration
) -> list[Target]:
    """Values that faults in stored tensors shift, each once; steps of a network together.

    Args:
        model: The model.
        sites: Sites by name.
        found: Entries of the sites.
        seen: Statistics of the values.
    """
    targets: dict[str, Target] = {}
    for name, entry in found.entries.items():
        every = [seen.statistics[each.value] for each in entry.values]
        spread = float(np.sqrt(np.mean([each.spread**2 for each in every])))
        gain = gain_of(model, sites[name], entry, seen, spread)
        met = max(float(gain.up.max(initial=0.0)), float(gain.down.max(initial=0.0)))
        reach = largest_change(sites[name].element) * float(gain.unit.max(initial=0.0)) * met
        first = entry.values[0].value
        known = targets.get(first)
        limit = reach if known is None else max(reach, known.limit)
        targets[first] = Target(
            values=entry.values,
            channels=len(every[0].up),
            spread=spread,
            whole=True,
            limit=limit,
        )
    return list(targets.values())


def hit(sites: Mapping[str, FaultSite], found: ScoringPlan, seen: Calibration) -> list[Target]:
    """Values that are themselves faulted; arguments as :func:`shifted`."""
    targets = []
    for name, channels in found.computed.items():
        statistics = seen.statistics[channels.value]
        target = Target(
            values=(channels,),
            channels=len(statistics.up),
            spread=statistics.spread,
            whole=False,
            limit=largest_change(sites[name].element) / statistics.spread,
        )
        targets.append(target)
    return targets


def largest_change(element: ElementType) -> float:
    """The most by which flips of single bits change a number of a type."""
    form = format_of(element)
    if "exponent" in form.fields:
        return math.ldexp(1.0, min(1 << (len(form.fields["exponent"]) - 1), 1023))
    return math.ldexp(1.0, form.width - 1)
