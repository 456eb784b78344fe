"""Calibration: one fault-free run that tells what the values of a model are like."""

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
from onnxfi.sensitivity.rules._entry import Channels
from onnxfi.sensitivity.rules._numbers import stored_number
from onnxfi.sensitivity.rules._statistics import ChannelStatistics, ChannelSums

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
    values: Sequence[Channels],
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
        on_progress: Told samples times groups of values done, and in all.

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
