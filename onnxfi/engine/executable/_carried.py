"""Which values of the stored graph the new values of its optimised form carry."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from numpy.typing import NDArray

from onnxfi.engine.executable._samevalue import carries
from onnxfi.engine.runtime import EngineSettings, RunFailedError, Session
from onnxfi.errors import BackendError
from onnxfi.graph import GraphIndex, Model, expose

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
        taken = set(found.values())
        fitting = sorted(alike.get(name, set()) - taken, key=lambda each: order[each])
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
