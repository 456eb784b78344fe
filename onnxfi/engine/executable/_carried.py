"""Which values of the stored graph the values of its optimised form carry, in whatever form."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from onnxfi.engine.runtime import EngineSettings, RunFailedError, Session
from onnxfi.errors import BackendError
from onnxfi.graph import GraphIndex, Model, expose

# Kernels of the optimised graph add in another order; 16-bit values are rounded in between.
_CLOSE = 1e-3
_CLOSE_16 = 2e-2
# A requantized integer may fall on the other side of a half now and then, and what is computed
# from it be a few steps off; these are shares of the elements, and of the range.
_OFTEN = 0.05
_STEPS = 0.05
_BLOCKS = (16, 8, 4)
_IMAGE_RANK = 4


def carries(value: NDArray[Any], stored: NDArray[Any], *, blocked: bool) -> bool:
    """Whether a value of the optimised graph is one of the stored graph in another form.

    Args:
        value: The value as onnxruntime lays it out.
        stored: The value of the stored graph, from a run on the same samples.
        blocked: Whether ``value`` may have its channels in blocks: N, C/b, H, W, b seen as
            N, C, H, W.
    """
    # Random samples may well drive a network to infinity, which is no news here.
    with np.errstate(all="ignore"):
        forms = _forms(value, stored, blocked)
        return any(_agree(form, stored) for form in forms) and _telling(stored)


def _telling(stored: NDArray[Any]) -> bool:
    """Whether an array can be told from others: finite numbers, not all the same."""
    if stored.dtype.kind not in "fiu" and stored.dtype.name != "bfloat16":
        return False
    numbers = stored.astype(np.float64)
    return bool(numbers.size > 1 and np.isfinite(numbers).all() and np.ptp(numbers) > 0)


def _forms(
    value: NDArray[Any], stored: NDArray[Any], blocked: bool
) -> Iterator[NDArray[np.float64]]:
    """The value in the layout of the stored one, in all ways that it may have been laid out."""
    if value.ndim != stored.ndim or value.dtype.kind in "bOUS":
        return
    if np.issubdtype(value.dtype, np.integer) != np.issubdtype(stored.dtype, np.integer):
        return
    numbers = value.astype(np.float64)
    if value.shape == stored.shape:
        yield numbers
    if value.ndim > 2:
        last = np.moveaxis(numbers, -1, 1)
        if last.shape == stored.shape:
            yield last
    if blocked and value.ndim == _IMAGE_RANK:
        yield from (plain[:, : stored.shape[1]] for plain in _unblocked(numbers, stored))


def _unblocked(numbers: NDArray[np.float64], stored: NDArray[Any]) -> Iterator[NDArray[np.float64]]:
    samples, channels, height, width = numbers.shape
    padded = (samples, height, width) == (stored.shape[0], *stored.shape[2:])
    if not padded or channels < stored.shape[1]:
        return
    for block in _BLOCKS:
        if channels % block == 0:
            apart = numbers.reshape(samples, channels // block, height, width, block)
            yield apart.transpose(0, 1, 4, 2, 3).reshape(numbers.shape)


def _agree(form: NDArray[np.float64], stored: NDArray[Any]) -> bool:
    if form.shape != stored.shape:
        return False
    wanted = stored.astype(np.float64)
    apart = np.abs(form - wanted)
    if np.issubdtype(stored.dtype, np.integer):
        return bool(np.mean(apart > 0) <= _OFTEN and apart.max() <= _STEPS * np.ptp(wanted))
    close = _CLOSE if stored.dtype.itemsize > 2 else _CLOSE_16
    return bool(apart.max() <= close * np.abs(wanted).max())


Feeds = Mapping[str, NDArray[Any]]
_BLOCKED = "com.microsoft.nchwc"


def carried_values(
    model: Model,
    executable: Model,
    new: Sequence[str],
    trials: Sequence[Feeds],
    settings: EngineSettings,
) -> dict[str, str]:
    """Stored values that some values of the optimised graph carry, as far as runs prove it.

    Two values are one if they agree in every trial, up to layout and rounding. Of stored values
    that can't be told apart, one behind the other (a Relu that cuts nothing off), a fused operator
    carries the last.

    Args:
        model: The model.
        executable: Its optimised form.
        new: Values of it that the model has none of, in topological order.
        trials: Feeds of several runs, on samples that differ.
        settings: How the model is run.

    Returns:
        Names of the model by names of the optimised form; no name twice.
    """
    gone = _gone(model, executable)
    if not new or not gone or not trials:
        return {}
    order = {name: place for place, name in enumerate(gone)}
    alike = _alike(model, executable, new, gone, trials, settings)
    found: dict[str, str] = {}
    # From the end: what comes later in one graph comes later in the other.
    for name in reversed(new):
        used = set(found.values())
        fitting = sorted(alike.get(name, set()) - used, key=lambda each: order[each])
        if fitting and _one_chain(model.index, fitting):
            found[name] = fitting[-1]
    return found


def _gone(model: Model, executable: Model) -> list[str]:
    """Tensors that the model computes and the optimised graph does not name."""
    index, left = model.index, executable.index
    return [
        name
        for node in index.nodes
        if not node.scope
        for name in node.outputs
        if name
        and index.kind_of(name) == "tensor"
        and left.producer(name) is None
        and name not in left.initializers
    ]


def _alike(
    model: Model,
    executable: Model,
    new: Sequence[str],
    gone: Sequence[str],
    trials: Sequence[Feeds],
    settings: EngineSettings,
) -> dict[str, set[str]]:
    """Stored values that each new value agrees with in all trials; empty if none can be run."""
    index = executable.index
    blocked = {name for name in new if (node := index.producer(name)) and node.domain == _BLOCKED}
    try:
        before = _session(expose(model, gone), settings)
        after = Session(expose(executable, new), settings, replay=True)
        found: dict[str, set[str]] = {name: set(gone) for name in new}
        for feeds in trials:
            stored, made = before.run(feeds, gone), after.run(feeds, new)
            for name in new:
                found[name] = {
                    other
                    for other in found[name]
                    if carries(made[name], stored[other], blocked=name in blocked)
                }
    except (BackendError, RunFailedError):
        return {}
    return found


def _session(exposed: Model, settings: EngineSettings) -> Session:
    """A session of the stored graph with all values kept, at the lowest level it loads with."""
    try:
        return Session(exposed, replace(settings, optimization="disabled"))
    except BackendError:
        return Session(exposed, settings)


def _one_chain(index: GraphIndex, names: Sequence[str]) -> bool:
    """Whether the last of some values, in topological order, is computed from all others."""
    missing = set(names[:-1])
    seen: set[str] = set()
    ahead = [names[-1]]
    while ahead and missing:
        node = index.producer(ahead.pop())
        for name in () if node is None else node.inputs:
            if name and name not in seen:
                seen.add(name)
                missing.discard(name)
                ahead.append(name)
    return not missing
