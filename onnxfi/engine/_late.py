"""Late starts: the part of a model behind one site, ready to take faults there."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from numpy.typing import NDArray

from onnxfi.bits import Words, from_words
from onnxfi.engine._context import EngineContext
from onnxfi.engine._frontier import COPIES, Frontier, Only
from onnxfi.engine._reference import Reference
from onnxfi.engine._session import Session
from onnxfi.engine._watchdog import Watchdog
from onnxfi.faults import FaultGroup, FaultSite
from onnxfi.graph import Model, Split, cut, initializer_words, lift_initializers
from onnxfi.inject import BatchWindow, faulty_array, faulty_words
from onnxfi.outcome import RunOutputs


class LateStart:
    """A session of the nodes behind a site, with its golden outputs.

    A computed site is an input of that session anyway; a stored one is made an input.

    Args:
        context: Model and workload.
        site: Where faults enter.
        parts: The model split behind the site.
        frontier: The values in between; later calls take the same or an equal one.
        watchdog: Ends runs that take too long.

    Raises:
        BackendError: onnxruntime refuses the part of the model.
        GoldenError: The frontier can't be computed.
    """

    def __init__(
        self,
        context: EngineContext,
        site: FaultSite,
        parts: Split,
        frontier: Frontier,
        watchdog: Watchdog,
    ) -> None:
        self._site = site
        self._returned = site.name in {spec.name for spec in context.model.outputs}
        self._words = initializer_words(context.model, site.name) if site.kind.stored else None
        self._clean: dict[str, NDArray[Any]] = {}
        if self._words is not None:
            self._clean = self._fed(self._words)
        self._session: Session | None = None
        self._inputs: tuple[str, ...] = ()
        if parts.dependent:
            model = _suffix(context, site, parts, frontier)
            self._inputs = tuple(spec.name for spec in model.inputs)
            self._session = Session(model, context.settings, watchdog)
            self._reference = Reference(self._session, Only(frontier, self._inputs), self._clean)

    @property
    def nbytes(self) -> int:
        """Bytes held, roughly."""
        words = 0 if self._words is None else self._words.nbytes
        if self._session is None:
            return words
        # A reference counts the model too, which is not kept here.
        return words + self._reference.nbytes + (COPIES - 3) * self._session.nbytes

    def golden(self, frontier: Frontier, window: BatchWindow) -> RunOutputs:
        """Fault-free outputs of a window.

        Raises:
            GoldenError: The run failed, or is not reproducible.
        """
        found = {} if self._session is None else self._reference.golden(window)
        return self._outputs(frontier, window, found, None)

    def stored(self, faults: FaultGroup) -> dict[str, NDArray[Any]]:
        """The site's tensor with faults in it, the same for all windows; empty if computed.

        Raises:
            FaultError: The site has no such element, or a fault is bound to one sample.
        """
        if self._words is None:
            return {}
        return self._fed(faulty_words(faults, self._site, self._words))

    def computed(
        self, frontier: Frontier, window: BatchWindow, faults: FaultGroup
    ) -> dict[str, NDArray[Any]]:
        """The site's tensor of one run with faults in it; empty if nothing reads it.

        Raises:
            FaultError: As :func:`faulty_array`.
        """
        clean = frontier.batch(window.start, window.stop, window.size).get(self._site.name)
        if clean is None:
            return {}
        return {self._site.name: faulty_array(clean, faults, self._site, window)}

    def faulty(
        self,
        frontier: Frontier,
        window: BatchWindow,
        changed: Mapping[str, NDArray[Any]],
        hurried: bool,
    ) -> RunOutputs:
        """Outputs of a window with the site's tensor changed.

        Raises:
            RunFailedError: The run gave none.
        """
        feeds = {**frontier.batch(window.start, window.stop, window.size), **changed}
        if self._session is None:
            return self._outputs(frontier, window, {}, feeds)
        read = {name: feeds[name] for name in self._inputs}
        found = self._session.run(read, hurried=hurried)
        return self._outputs(frontier, window, found, feeds)

    def _fed(self, words: Words) -> dict[str, NDArray[Any]]:
        """A stored tensor as an input."""
        shape = () if self._site.layout is None else self._site.layout.shape
        return {self._site.name: from_words(words, self._site.element, shape)}

    def _outputs(
        self,
        frontier: Frontier,
        window: BatchWindow,
        found: RunOutputs,
        feeds: Mapping[str, NDArray[Any]] | None,
    ) -> RunOutputs:
        """All outputs of the model: from the suffix, from before it, and the site itself."""
        outputs = {**frontier.untouched(window), **found}
        if self._returned:
            if feeds is None:
                feeds = frontier.batch(window.start, window.stop, window.size) | self._clean
            outputs[self._site.name] = feeds[self._site.name]
        return outputs


def _suffix(context: EngineContext, site: FaultSite, parts: Split, frontier: Frontier) -> Model:
    """The nodes behind the site as a model."""
    profile, workload = context.profile, context.workload
    stop = min(profile.batch_size, workload.samples)
    examples = frontier.batch(0, stop, profile.fixed_batch)
    model = cut(context.model, parts.suffix, parts.dependent, examples)
    return lift_initializers(model, [site.name]) if site.kind.stored else model
