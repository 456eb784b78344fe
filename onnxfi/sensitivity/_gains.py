"""Gains: from entries and statistics to how an element's change shifts a value."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from onnxfi.bits import format_of, from_words, has_format
from onnxfi.faults import FaultSite
from onnxfi.graph import Model, initializer_words
from onnxfi.sensitivity._axis import WHOLE, Axis
from onnxfi.sensitivity._calibrate import Calibration, ChannelStatistics
from onnxfi.sensitivity._entry import Entry, EntryKind
from onnxfi.sensitivity._stored import Gain


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
    unit = entry.factor * _scales(model, entry) / spread
    up, down = np.ones(1), np.zeros(1)
    into, group_out = WHOLE, 0
    if entry.kind is EntryKind.MULTIPLIED and entry.into is not None:
        into = Axis.of_shape(shape, entry.into)
        seen = [calibration.statistics[each.value] for each in entry.sources]
        up, down = _pooled(seen, into.size * entry.groups)
        group_out = out.size // entry.groups if entry.groups > 1 else 0
    elif entry.kind is EntryKind.STRETCHED:
        into = out
        seen = [calibration.statistics[each.value] for each in entry.values]
        up, down = _pooled(seen, out.size)
        stored = _stored_numbers(model, site)
        size = np.maximum(np.abs(stored), np.abs(stored).max(initial=0.0) * 1e-6 + 1e-30)
        turned = stored < 0
        up, down = np.where(turned, down, up) / size, np.where(turned, up, down) / size
    if entry.factor < 0:
        unit, up, down = -unit, down, up
    return Gain(out=out, into=into, unit=unit, up=up, down=down, group_out=group_out)


def _pooled(
    seen: list[ChannelStatistics], channels: int
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Root mean squares over several uses, by channel."""
    up = np.sqrt(np.mean([_fitted(np.square(each.up), channels) for each in seen], axis=0))
    down = np.sqrt(np.mean([_fitted(np.square(each.down), channels) for each in seen], axis=0))
    return up, down


def _fitted(values: NDArray[np.float64], channels: int) -> NDArray[np.float64]:
    """Values by channel, or their mean where channels don't correspond."""
    return values if len(values) == channels else np.full(channels, float(values.mean()))


def _scales(model: Model, entry: Entry) -> NDArray[np.float64]:
    if not entry.scale:
        return np.ones(1)
    stored = model.index.initializers[entry.scale]
    assert stored.element is not None
    words = initializer_words(model, entry.scale)
    return from_words(words, stored.element, words.shape).astype(np.float64)


def _stored_numbers(model: Model, site: FaultSite) -> NDArray[np.float64]:
    if not has_format(site.element):
        return np.zeros(1)
    words = initializer_words(model, site.tensor)
    with np.errstate(invalid="ignore"):
        values = from_words(words.astype(format_of(site.element).word), site.element, words.shape)
    return values.astype(np.float64)
