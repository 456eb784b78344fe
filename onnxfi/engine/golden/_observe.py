"""What the values inside a graph look like in a run: arrays of a few samples, and their layouts."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from onnxfi.engine.golden._context import EngineContext
from onnxfi.engine.runtime import RunFailedError, Session, Watchdog
from onnxfi.engine.study import by_growth
from onnxfi.errors import GoldenError
from onnxfi.faults import SampleLayout
from onnxfi.graph import Model, expose

_GROUP = 64  # values fetched together


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Observation:
    """Values of a graph, computed ones and inputs.

    Attributes:
        examples: Arrays of the first samples, by name.
        layouts: Where samples lie, by name. In a model whose samples can't be told apart, every
            value counts as existing once per run.
        closed: Computed values that are no tensors, or can't be fed.
        separable: Whether samples can be left out of a run.
    """

    examples: Mapping[str, NDArray[Any]]
    layouts: Mapping[str, SampleLayout]
    closed: frozenset[str]
    separable: bool

    def without_elements(self) -> Observation:
        """The same with examples that have a type and a shape, and take no memory."""
        examples = {
            name: np.broadcast_to(np.zeros((), value.dtype), value.shape)
            for name, value in self.examples.items()
        }
        return replace(self, examples=examples)


def observe(
    model: Model,
    context: EngineContext,
    fed: Mapping[str, NDArray[Any]],
    watchdog: Watchdog,
    *,
    replay: bool,
) -> Observation:
    """Run a graph on a few samples with all its top-level values exposed.

    Args:
        model: The graph.
        context: Workload, profile and settings.
        fed: Inputs besides the workload's.
        watchdog: Ends runs that take too long.
        replay: The graph runs as it is.

    Raises:
        BackendError: onnxruntime refuses the graph.
        GoldenError: A run fails.
    """
    names = [made for node in model.index.nodes if not node.scope for made in node.outputs if made]
    session = Session(expose(model, names), context.settings, watchdog, replay=replay)
    open_ = [name for name in dict.fromkeys(names) if _feedable(session.types[name])]
    profile = context.profile
    separable = profile.rows_independent and profile.fixed_batch is None
    size = profile.fixed_batch or (3 if separable else 1)
    examples = dict(_run(session, open_, context, fed, size))
    layouts = {
        name: SampleLayout(shape=value.shape, batch_axis=None) for name, value in examples.items()
    }
    if separable:
        two = {name: value.shape for name, value in _run(session, open_, context, fed, 2)}
        grown = {name: by_growth(two[name], examples[name].shape) for name in examples}
        found = {name: each for name, each in grown.items() if not isinstance(each, str)}
        # A value whose shape depends on the data can't be taken apart, nor what follows it.
        separable = len(found) == len(grown)
        layouts = found if separable else layouts
    return Observation(
        examples=examples,
        layouts=layouts,
        closed=frozenset(names).difference(open_),
        separable=separable,
    )


def _run(
    session: Session,
    names: Sequence[str],
    context: EngineContext,
    fed: Mapping[str, NDArray[Any]],
    size: int,
) -> Iterator[tuple[str, NDArray[Any]]]:
    """Values of a run over the first samples, inputs among them."""
    workload = context.workload
    real = 1 if workload.stacked else min(size, workload.samples)
    feeds = {**workload.batch(0, real, size), **fed}
    yield from feeds.items()
    for start in range(0, len(names), _GROUP):
        try:
            found = session.run(feeds, names[start : start + _GROUP])
        except RunFailedError as error:
            raise GoldenError(f"the fault-free run fails on {workload.source}: {error}") from error
        yield from found.items()


def _feedable(kind: str) -> bool:
    """Whether a value of an onnxruntime type (``tensor(float)``) can be kept and fed again."""
    if not kind.startswith("tensor("):
        return False
    element = kind.removeprefix("tensor(").removesuffix(")")
    return element != "string"
