"""Chains: a graph in parts that run one after the other, each in a session of its own."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from onnxfi.engine.executable import Narrow, OpenGraph
from onnxfi.engine.golden import EngineContext
from onnxfi.engine.runtime import Session, Watchdog
from onnxfi.errors import BackendError
from onnxfi.faults import SampleLayout
from onnxfi.graph import Model, Part, lift_initializers, unpadded
from onnxfi.graph.cut import cut
from onnxfi.graph.ops import is_a
from onnxfi.outcome import RunOutputs

_COPIES = 2  # of a session's weights: as onnxruntime reads them, and as it packs them for kernels


class PartChain:
    """Parts of a graph with their sessions, which start when they are first needed.

    Args:
        graph: The graph.
        parts: Its parts, in the order in which they run.
        layouts: Where samples lie in the values that parts read or return.
        context: Settings, and the outputs that are wanted.
        watchdog: Ends runs that take too long.
    """

    def __init__(
        self,
        graph: OpenGraph,
        parts: tuple[Part, ...],
        layouts: Mapping[str, SampleLayout],
        context: EngineContext,
        watchdog: Watchdog,
    ) -> None:
        self.parts = parts
        self.layouts = layouts
        self.separable = graph.observation.separable
        self.outputs = tuple(spec.name for spec in context.model.outputs)
        self.readers = _readers(parts)
        self.makers = {name: k for k, part in enumerate(parts) for name in part.makes}
        self._graph = graph
        self._context = context
        self._watchdog = watchdog
        self._cropping: dict[int, Session] = {}
        self._bytes = 0
        self._sessions: dict[tuple[int, frozenset[str], bool], Session] = {}
        self.sizes: dict[tuple[int, frozenset[str]], tuple[int, ...]] = {}

    @property
    def nbytes(self) -> int:
        """Bytes held, roughly."""
        return self._bytes

    def reading(self, stored: Collection[str]) -> tuple[int, ...]:
        """Positions of the parts that read any of some stored tensors."""
        return tuple(k for k, part in enumerate(self.parts) if not part.stored.isdisjoint(stored))

    def multiplies(self, position: int) -> bool:
        """Whether a part holds a matrix product."""
        nodes = self._graph.model.index.nodes
        mine = set(self.parts[position].nodes)
        found = [node.op_type for node in nodes if node.name in mine]
        return any(is_a(op, "packs") and not is_a(op, "convolution") for op in found)

    def run(
        self,
        position: int,
        feeds: Mapping[str, NDArray[Any]],
        lifted: Mapping[str, NDArray[Any]],
        *,
        hurried: bool = False,
    ) -> RunOutputs:
        """Run one part.

        Args:
            position: Which.
            feeds: What it reads.
            lifted: Stored tensors that are inputs of its session, those of other parts among them.
            hurried: With the shortened limit of a scenario that has hung before.

        Raises:
            RunFailedError: The run gave nothing.
            BackendError: onnxruntime refuses the part.
        """
        return self.prepared(position, lifted)(feeds, hurried)

    def prepared(
        self, position: int, lifted: Mapping[str, NDArray[Any]]
    ) -> Callable[[Mapping[str, NDArray[Any]], bool], RunOutputs]:
        """What runs a part again and again: a function of its feeds, and whether in a hurry."""
        mine = self.parts[position].stored.intersection(lifted)
        session = self._session(position, mine)
        stored = {name: lifted[name] for name in mine}

        def run(feeds: Mapping[str, NDArray[Any]], hurried: bool) -> RunOutputs:
            return session.run({**feeds, **stored}, hurried=hurried)

        return run

    def run_narrow(
        self,
        position: int,
        narrow: Narrow,
        feeds: Mapping[str, NDArray[Any]],
        *,
        hurried: bool = False,
    ) -> NDArray[Any]:
        """Run one part for some of its output channels; feeds as :meth:`Narrow.feeds`."""
        session = self._session(position, frozenset(narrow.lifted), narrow)
        given = narrow.padded(feeds)
        found = session.run(given, hurried=hurried)[narrow.made]
        return found if given is feeds else found[:1]

    def run_cropped(
        self, position: int, feeds: Mapping[str, NDArray[Any]], *, hurried: bool = False
    ) -> NDArray[Any]:
        """Run one part on a crop; feeds as :meth:`Cropped.feeds`, padding included."""
        part = self.parts[position]
        session = self._cropping.get(position)
        if session is None:
            # Declared as images of any size.
            images = {name: np.zeros((0, 0, 0, 0), np.float32) for name in part.reads}
            model = unpadded(cut(self._graph.model, frozenset(part.nodes), part.makes, images))
            session = self._started(model, position)
            self._cropping[position] = session
        return session.run(feeds, hurried=hurried)[part.makes[0]]

    def _session(
        self, position: int, lifted: frozenset[str], narrow: Narrow | None = None
    ) -> Session:
        key = (position, lifted, narrow is not None)
        if key not in self._sessions:
            part = self.parts[position]
            examples = self._graph.observation.examples
            if narrow is not None:
                examples = narrow.examples(examples)
            model = cut(self._graph.model, frozenset(part.nodes), part.makes, examples)
            if lifted:
                model = lift_initializers(model, sorted(lifted), sliceable=narrow is not None)
            self._sessions[key] = self._started(model, position)
        return self._sessions[key]

    def _started(self, model: Model, position: int) -> Session:
        settings = self._context.settings
        try:
            session = Session(model, settings, self._watchdog, replay=self._graph.replay)
        except BackendError as error:
            nodes = ", ".join(self.parts[position].nodes[:3])
            raise BackendError(
                f"part {position} of the model, with {nodes}, does not load (--engine bake may run"
                f" it): {error}"
            ) from error
        self._bytes += _COPIES * session.nbytes
        return session


def _readers(parts: Iterable[Part]) -> dict[str, tuple[int, ...]]:
    """Positions of the parts that read each value."""
    found: dict[str, list[int]] = {}
    for position, part in enumerate(parts):
        for name in part.reads:
            found.setdefault(name, []).append(position)
    return {name: tuple(positions) for name, positions in found.items()}
