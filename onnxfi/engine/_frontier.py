"""Frontiers: the values behind which a model is started late, computed once and kept."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Any

from numpy.typing import NDArray

from onnxfi.bits import from_words
from onnxfi.engine._context import EngineContext
from onnxfi.engine._golden import Batches, once, twice
from onnxfi.engine._session import Session
from onnxfi.engine._watchdog import Watchdog
from onnxfi.engine._windows import windows
from onnxfi.errors import UnsupportedModelError
from onnxfi.graph import Model, Split, cut, initializer_words
from onnxfi.inject import BatchWindow
from onnxfi.outcome import RunOutputs

COPIES = 2  # of a session's weights: as onnxruntime reads them, and as it packs them for kernels


class Only:
    """Batches without the values that a sub-model does not read.

    Args:
        batches: All values.
        names: Inputs of the sub-model.
    """

    def __init__(self, batches: Batches, names: Collection[str]) -> None:
        self._batches = batches
        self._names = frozenset(names)

    @property
    def source(self) -> str:
        """Where the values come from, for messages."""
        return self._batches.source

    def batch(self, start: int, stop: int, pad_to: int | None = None) -> dict[str, NDArray[Any]]:
        """Feeds for samples ``start`` to ``stop - 1``, filled up to ``pad_to`` rows."""
        found = self._batches.batch(start, stop, pad_to)
        return {name: values for name, values in found.items() if name in self._names}


class Frontier:
    """The fault-free values of a split, batch by batch, and the outputs that no fault reaches.

    They come from a session of the nodes in front of the split. As many batches are kept as half
    the memory limit allows; the others are computed whenever they are asked for. Once all are
    kept the session is let go; windows of other sizes start it again, and then it stays.

    Args:
        context: Model and workload.
        parts: The split.
        watchdog: Ends runs that take too long.

    Raises:
        GoldenError: A run fails, or is not reproducible.
    """

    def __init__(self, context: EngineContext, parts: Split, watchdog: Watchdog) -> None:
        self._context = context
        self._parts = parts
        self._watchdog = watchdog
        # The session behind the cut must fit beside it, or the two would drive each other out.
        self._limit = context.settings.memory_limit_bytes // 2
        wanted = dict.fromkeys((*parts.frontier, *parts.independent))
        producer = context.model.index.producer
        self._computed = tuple(name for name in wanted if producer(name) is not None)
        self._stored = {
            name: _constant(context.model, name)
            for name in parts.independent
            if name in context.model.index.initializers
        }
        self._inside = frozenset(parts.frontier).difference(parts.independent)
        self._session: Session | None = None
        self._fed: Batches = context.workload
        self._session_bytes = 0
        self._kept: dict[BatchWindow, RunOutputs] = {}
        self._kept_bytes = 0
        # The batch in use is asked for several times: by golden and by faulty runs.
        self._latest: tuple[BatchWindow, RunOutputs] | None = None
        self._checked = False
        profile = context.profile
        self._regular = windows(context.workload.samples, profile.batch_size, profile.fixed_batch)
        # Counted from the start: the cache must make room before the batches come in.
        self._planned = 0
        first = sum(value.nbytes for value in self._values(self._regular[0]).values())
        self._planned = first * len(self._regular) if self._session is not None else 0

    @property
    def source(self) -> str:
        """Where the samples come from."""
        return self._context.workload.source

    @property
    def nbytes(self) -> int:
        """Bytes held, or reserved for batches still to come; without the batch in use."""
        room = max(0, self._limit - self._session_bytes)
        return self._session_bytes + max(self._kept_bytes, min(self._planned, room))

    def batch(self, start: int, stop: int, pad_to: int | None = None) -> dict[str, NDArray[Any]]:
        """Values of the frontier, graph inputs among them. Not to be written to."""
        window = BatchWindow(start=start, stop=stop, size=pad_to or stop - start)
        values = {**self._context.workload.batch(start, stop, pad_to), **self._values(window)}
        return {name: values[name] for name in self._parts.frontier}

    def untouched(self, window: BatchWindow) -> Mapping[str, NDArray[Any]]:
        """Outputs of the model that no fault behind the split changes."""
        values = self._values(window)
        found = {name: value for name, value in values.items() if name not in self._inside}
        fed = self._context.workload.batch(window.start, window.stop, window.size)
        fed = {name: fed[name] for name in self._parts.independent if name in fed}
        return {**self._stored, **fed, **found}

    def _values(self, window: BatchWindow) -> RunOutputs:
        """What the nodes in front of the split compute."""
        if not self._computed:
            return {}
        found = self._kept.get(window)
        if found is not None:
            return found
        if self._latest is None or self._latest[0] != window:
            self._latest = None
            self._latest = window, self._run(window)
        return self._latest[1]

    def _run(self, window: BatchWindow) -> RunOutputs:
        run = once if self._checked else twice
        found = run(self._started(), self._fed, window, {})
        self._checked = True
        size = sum(value.nbytes for value in found.values())
        if self._session_bytes + self._kept_bytes + size <= self._limit:
            self._kept[window] = found
            self._kept_bytes += size
        # Other windows come in numbers, sample by sample after a run that failed.
        if window in self._regular and all(regular in self._kept for regular in self._regular):
            self._session, self._session_bytes, self._planned = None, 0, 0
        return found

    def _started(self) -> Session:
        """The session of the nodes in front of the split."""
        if self._session is None:
            context = self._context
            part = cut(context.model, self._parts.prefix, self._computed)
            self._fed = Only(context.workload, [spec.name for spec in part.inputs])
            self._session = Session(part, context.settings, self._watchdog)
            self._session_bytes = COPIES * self._session.nbytes
        return self._session


def _constant(model: Model, name: str) -> NDArray[Any]:
    """A stored tensor that the model returns."""
    entry = model.index.initializers[name]
    if entry.element is None:
        raise UnsupportedModelError(f"output {name!r} has no array form")
    return from_words(initializer_words(model, name), entry.element, entry.shape)
