"""Calibration: statistics of values by channel, from one fault-free run."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from onnxfi.bits import Words, to_words
from onnxfi.engine import EngineContext, Session, Watchdog, once, windows
from onnxfi.faults import FaultSite
from onnxfi.graph import expose
from onnxfi.inject import BatchWindow
from onnxfi.sensitivity.rules._entries import ValueChannels, stored_number

# Sums that are kept for each channel.
_TOTAL, _SQUARE, _KEPT, _RAISED, _RISING, _FALLING = range(6)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class ChannelStatistics:
    """What a value holds, by channel, over the calibration samples.

    Where samples can be distinguished, root mean squares are those of the samples in which the
    channel has such numbers at all: a channel that is 0 in most pictures is not one that is small
    in all. One that is 0 in all of them may not be in others: it counts as if it were half a time
    in one more, and then as large as the other channels are.

    Attributes:
        up: float64 (channels,): root mean square of the positive part.
        down: Likewise of the negative part.
        up_share: Share of the samples in which it has positive numbers.
        down_share: Likewise, negative.
        spread: Standard deviation over all elements; 1 where all are equal.
        mean: Mean, by channel.
        kept: Mean of the positive part, by channel: what a Relu lets through.
    """

    up: NDArray[np.float64]
    down: NDArray[np.float64]
    up_share: NDArray[np.float64]
    down_share: NDArray[np.float64]
    spread: float
    mean: NDArray[np.float64]
    kept: NDArray[np.float64]


class ChannelSums:
    """Sums over runs, by channel, in constant memory."""

    def __init__(self) -> None:
        self._elements = 0
        self._rows = 0
        self._sums: NDArray[np.float64] | None = None

    def add(self, values: NDArray[np.float64], axis: int, samples: int) -> None:
        """Take in a run.

        Args:
            values: What the value was.
            axis: Its axis of channels.
            samples: Samples in the run; they lie along axis 0 if it has as many entries.
        """
        numbers = np.moveaxis(values, axis, 0)
        numbers = np.where(np.isfinite(numbers), numbers, 0.0)
        apart = values.shape[0] == samples and axis % values.ndim > 0
        rows = numbers.reshape(len(numbers), samples if apart else 1, -1)
        raised = np.maximum(rows, 0.0)
        sums = np.stack(
            [
                rows.sum((1, 2)),
                np.square(rows).sum((1, 2)),
                raised.sum((1, 2)),
                np.square(raised).sum((1, 2)),
                (rows > 0).any(2).sum(1),
                (rows < 0).any(2).sum(1),
            ]
        )
        self._elements += rows.shape[1] * rows.shape[2]
        self._rows += rows.shape[1]
        self._sums = sums if self._sums is None else self._sums + sums

    def whole(self) -> ChannelStatistics:
        """The statistics of all runs."""
        sums = np.zeros((6, 1)) if self._sums is None else self._sums
        count, rows = max(self._elements, 1), max(self._rows, 1)
        mean, square = sums[_TOTAL] / count, sums[_SQUARE] / count
        raised = sums[_RAISED] / count
        up, up_share = _foreseen(raised, sums[_RISING], rows)
        down, down_share = _foreseen(np.maximum(square - raised, 0.0), sums[_FALLING], rows)
        variance = float(square.mean() - mean.mean() ** 2)
        return ChannelStatistics(
            up=up,
            down=down,
            up_share=up_share,
            down_share=down_share,
            spread=float(np.sqrt(variance)) if variance > 0 else 1.0,
            mean=mean,
            kept=sums[_KEPT] / count,
        )


def _foreseen(
    square: NDArray[np.float64], seen: NDArray[np.float64], samples: int
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Root mean squares where there is something, and the share of samples in which there is.

    Args:
        square: float64 (channels,), mean square over all elements.
        seen: Samples in which the channel has such numbers.
        samples: How many there were.
    """
    share = seen / samples
    size = np.sqrt(square / np.where(share > 0, share, 1.0))
    alive = size > 0
    if not alive.any():  # as negative numbers behind a Relu: nothing is to be foreseen
        return size, share
    usual = float(np.sqrt(np.mean(np.square(size[alive]))))
    return np.where(alive, size, usual), np.maximum(share, 0.5 / (samples + 1))


_GROUP = 64  # values that a session returns together
Progress = Callable[[int, int], None]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Calibration:
    """What one run over the calibration samples has shown.

    Attributes:
        statistics: By value name.
        words: By site name: (samples, elements), what computed tensors held.
    """

    statistics: Mapping[str, ChannelStatistics]
    words: Mapping[str, Words]


def calibrate(
    context: EngineContext,
    values: Sequence[ValueChannels],
    sites: Sequence[FaultSite],
    keep: int,
    on_progress: Progress | None = None,
) -> Calibration:
    """Run the model over the calibration samples and look at its values.

    Args:
        context: Model, calibration samples, profile and settings.
        values: Values whose statistics are wanted, with the axis of their channels.
        sites: Sites of computed tensors whose words are wanted.
        keep: Samples of which words are kept.
        on_progress: Called with samples times groups of values done, and in all.

    Raises:
        GoldenError: The model fails on the samples.
        BackendError: onnxruntime refuses the model with these values as outputs.
    """
    axes = {each.value: each.axis for each in values}
    zeros = {each.value: stored_number(context.model, each.zero) or 0.0 for each in values}
    held = {site.name: site for site in sites}
    names = list(dict.fromkeys([*axes, *(site.tensor for site in sites)]))
    sums = {name: ChannelSums() for name in axes}
    words: dict[str, list[Words]] = {name: [] for name in held}
    groups = [names[start : start + _GROUP] for start in range(0, len(names), _GROUP)]
    done, total = 0, len(groups) * context.workload.samples
    for group in groups:
        for window, found in _runs(context, group):
            for name in group:
                if name in axes:
                    sums[name].add(_numbers(found[name]) - zeros[name], axes[name], window.size)
            for site in held.values():
                left = keep - window.start
                if site.tensor in found and left > 0:
                    words[site.name].append(_words(site, found[site.tensor], window, left))
            done += window.samples
            if on_progress is not None:
                on_progress(done, total)
    return Calibration(
        statistics={name: each.whole() for name, each in sums.items()},
        words={name: np.concatenate(each) for name, each in words.items() if each},
    )


def _runs(
    context: EngineContext, names: Sequence[str]
) -> Iterator[tuple[BatchWindow, Mapping[str, NDArray[np.generic]]]]:
    """Each run over the samples, with the values asked for, inputs of the model among them."""
    profile, workload = context.profile, context.workload
    fed = {spec.name for spec in context.model.inputs}
    made = [name for name in names if name not in fed]
    with closing(Watchdog()) as watchdog:
        session = Session(expose(context.model, made), context.settings, watchdog)
        for window in windows(workload.samples, profile.batch_size, profile.fixed_batch):
            outputs = once(session, workload, window, {})
            if len(made) < len(names):
                feeds = workload.batch(window.start, window.stop, window.size)
                outputs = {**{n: feeds[n] for n in names if n in fed}, **outputs}
            yield window, outputs


def _words(site: FaultSite, values: NDArray[np.generic], window: BatchWindow, most: int) -> Words:
    """Words of a computed tensor, (samples, elements of a sample)."""
    if site.layout is None:
        raise ValueError(f"site {site.name!r} has no layout")
    count = min(window.samples, most)
    index = np.arange(site.layout.elements)
    flat = to_words(np.ascontiguousarray(values), site.element)
    rows = [site.layout.flat(index, np.array(each), window.size) for each in range(count)]
    return flat[np.stack(rows)]


def _numbers(values: NDArray[np.generic]) -> NDArray[np.float64]:
    """Any numbers as float64."""
    return np.asarray(values).astype(np.float64)
