"""The lift engine: stored tensors are inputs of the executable graph, changed between runs."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from onnxfi.bits import Words, format_of, from_words
from onnxfi.engine._base import EngineBase
from onnxfi.engine._cache import Cache
from onnxfi.engine._context import EngineContext
from onnxfi.engine._executable import Executable, prepare_executable
from onnxfi.engine._execute import Armed, Windows, scenario_windows
from onnxfi.engine._reference import Reference
from onnxfi.engine._session import Session
from onnxfi.engine._watchdog import Watchdog
from onnxfi.faults import FaultSite, Scenario
from onnxfi.graph import initializer_words, lift_initializers
from onnxfi.inject import BatchWindow, faulty_elements
from onnxfi.outcome import RunOutputs
from onnxfi.workload import Workload


class LiftEngine(EngineBase):
    """Keeps sessions of the executable graph with stored tensors lifted to inputs.

    Tensors that no operator packs are all lifted in one session. A scenario that touches a single
    packed one runs in a session where only that is lifted, since it costs time; one that touches
    it together with others, in a session with everything lifted. So the session, and with it the
    result, depends on the scenario alone.

    Args:
        context: Model, workload and sites.

    Raises:
        ConfigError: The executable graph does not replay, or a site has no map into it.
        BackendError: onnxruntime can't write or run its optimised graph.
    """

    name = "lift"

    def __init__(self, context: EngineContext) -> None:
        super().__init__(context)
        self._executable = prepare_executable(context)
        self._stored = {name: initializer_words(context.model, name) for name in self._sites}
        self._lifted: Cache[LiftedModel] = Cache(context.settings.memory_limit_bytes)

    def arm(self, scenario: Scenario) -> tuple[Armed, Windows]:
        """A scenario ready to run, and the windows to run it in."""
        self._check_sites(scenario)
        names = self._together(scenario.sites)
        lifted = self._lifted.get(names, lambda: self._lift(names))
        changes = _changes(scenario, self._sites, self._stored, self._executable)
        armed = _ArmedModel(lifted, changes, self._context.workload)
        return armed, scenario_windows(self._context, scenario)

    def close(self) -> None:
        """Let go of sessions and threads."""
        self._lifted.clear()
        self._watchdog.close()

    def _together(self, touched: Sequence[str]) -> tuple[str, ...]:
        """Sites that are lifted in the session of a scenario."""
        packed = self._executable.packed
        if packed.isdisjoint(touched):
            return tuple(name for name in self._sites if name not in packed)
        return tuple(touched) if len(touched) == 1 else tuple(self._sites)

    def _lift(self, names: Sequence[str]) -> LiftedModel:
        return LiftedModel(self._context, self._executable, names, self._watchdog)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Change:
    """New words for some elements of one lifted input."""

    initializer: str
    position: NDArray[np.int64]
    words: Words


class LiftedModel:
    """The executable graph in a session, its lifted inputs, and its golden outputs.

    Args:
        context: Workload and settings.
        executable: The graph.
        sites: Names of the sites to lift.
        watchdog: Ends runs that take too long.
    """

    def __init__(
        self,
        context: EngineContext,
        executable: Executable,
        sites: Sequence[str],
        watchdog: Watchdog,
    ) -> None:
        graph = executable.model
        names = executable.initializers(sites)
        self.session = Session(
            lift_initializers(graph, names), context.settings, watchdog, replay=True
        )
        # The session reads these very arrays in every run: a change is seen by the next one.
        self.feeds: dict[str, NDArray[Any]] = {}
        self._words: dict[str, Words] = {}
        for name in names:
            entry = graph.index.initializers[name]
            assert entry.element is not None
            words = initializer_words(graph, name)
            self.feeds[name] = from_words(words, entry.element, entry.shape)
            self._words[name] = self.feeds[name].reshape(-1).view(format_of(entry.element).word)
        self.reference = Reference(self.session, context.workload, self.feeds)

    @property
    def nbytes(self) -> int:
        """Bytes held, roughly."""
        return self.reference.nbytes

    @contextmanager
    def armed(self, changes: Sequence[Change]) -> Iterator[None]:
        """Change elements inside the ``with`` block; afterwards they are what they were."""
        before: list[tuple[Change, Words]] = []
        try:
            for change in changes:
                words = self._words[change.initializer]
                before.append((change, words[change.position]))
                words[change.position] = change.words
            yield
        finally:
            # Backwards, should two changes meet in one element.
            for change, clean in reversed(before):
                self._words[change.initializer][change.position] = clean


class _ArmedModel:
    """A scenario in a lifted model."""

    def __init__(self, lifted: LiftedModel, changes: Sequence[Change], workload: Workload) -> None:
        self._lifted = lifted
        self._changes = changes
        self._workload = workload

    def golden(self, window: BatchWindow) -> RunOutputs:
        return self._lifted.reference.golden(window)

    def faulty(self, window: BatchWindow, hurried: bool) -> RunOutputs:
        lifted = self._lifted
        feeds = self._workload.batch(window.start, window.stop, window.size)
        # Only for the length of a run: a caller may take the results of two scenarios in turns.
        with lifted.armed(self._changes):
            return lifted.session.run({**feeds, **lifted.feeds}, hurried=hurried)


def _changes(
    scenario: Scenario,
    sites: dict[str, FaultSite],
    stored: dict[str, Words],
    executable: Executable,
) -> list[Change]:
    """What a scenario changes in the executable graph's initializers."""
    found = []
    for group in scenario.groups:
        site = sites[group.site]
        index, faulty = faulty_elements(group, site, stored[site.name])
        for image in executable.images[site.name]:
            entries, owner = image.find(index)
            words = image.arriving(faulty[owner], site.element, entries)
            position = image.position[entries]
            found.append(Change(initializer=image.initializer, position=position, words=words))
    return found
