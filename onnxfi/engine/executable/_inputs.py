"""Stored tensors as inputs of a graph: which may be, and their arrays, changed between runs."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from onnxfi.bits import (
    ElementType,
    Words,
    change_packed,
    format_of,
    from_words,
    in_bytes,
    packed_words,
)
from onnxfi.engine.executable._grouping import Deployed, low_bit_kernels, optimized_with
from onnxfi.engine.executable._mapping import Image
from onnxfi.engine.executable._optimize import overlooked_inputs
from onnxfi.engine.golden import EngineContext
from onnxfi.errors import BackendError, ModelError, RewriteError
from onnxfi.faults import FaultSite, Scenario
from onnxfi.graph import Model, initializer_words, lift_initializers
from onnxfi.inject import faulty_elements

OVERLOOKED = "as an input the tensor is overlooked by onnxruntime"


@dataclass(frozen=True, slots=True, kw_only=True)
class Settled:
    """Stored sites that were to be inputs.

    Attributes:
        kept: Those that the optimised graph reads.
        lost: Those that it does not read any more, though the model does.
    """

    kept: tuple[FaultSite, ...]
    lost: tuple[FaultSite, ...]


class FedSites:
    """Finds stored tensors that can't be fed.

    Some of onnxruntime's fusions take the number that is in a constant (the epsilon of a layer
    normalisation), and where that is no constant they fuse all the same, with a number of their
    own. A fault that is fed would reach nothing. Baked, it is what the runtime makes of it.

    Args:
        context: Model and settings.
        deployed: What the model is deployed as.
    """

    def __init__(self, context: EngineContext, deployed: Deployed) -> None:
        self._context = context
        self._deployed = deployed
        self._found: dict[tuple[str, ...], Settled] = {}

    def settle(self, sites: Sequence[FaultSite]) -> Settled:
        """Which of some sites can be inputs of one graph; those that can't stay constants in it."""
        key = tuple(site.name for site in sites)
        if key not in self._found:
            self._found[key] = self._settle(tuple(sites))
        return self._found[key]

    def against(self, sites: Sequence[FaultSite]) -> str | None:
        """Why some stored tensors had better stay constants, None if they can be inputs.

        Fed, faults would reach nothing; or the model would lack kernels that it is deployed with,
        as it does with most scales of QDQ models as inputs.
        """
        if self.settle(sites).lost:
            return OVERLOOKED
        wanted = self._deployed.kernels
        if not wanted:
            return None
        context = self._context
        opened = lift_initializers(context.model, [site.name for site in sites])
        found = low_bit_kernels(optimized_with(opened, (), context.settings))
        if found == wanted:
            return None
        gone = ", ".join(sorted(wanted - found)) or "other kernels"
        return f"as an input the tensor costs kernels that the model is deployed with: {gone}"

    def _settle(self, sites: tuple[FaultSite, ...]) -> Settled:
        settings = self._context.settings
        if settings.optimization == "disabled" or settings.graph == "deployed":
            return Settled(kept=sites, lost=())
        # Devices share the fusions of the CPU, and only its graphs can be written and read.
        settings = replace(settings, provider="cpu", provider_options={})
        kept, lost = sites, tuple[FaultSite, ...]()
        while kept:
            fed = lift_initializers(self._context.model, [site.name for site in kept])
            try:
                overlooked = overlooked_inputs(fed, settings)
            except (BackendError, ModelError, RewriteError):
                break
            gone = tuple(site for site in kept if site.name in overlooked)
            if not gone:
                break
            lost += gone
            kept = tuple(site for site in kept if site not in gone)
        return Settled(kept=kept, lost=lost)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class TensorChange:
    """New words for some elements of a lifted tensor."""

    initializer: str
    position: NDArray[np.int64]
    words: Words


class _Held(Protocol):
    """The words of an array, as they lie there."""

    def get(self, position: NDArray[np.int64]) -> Words:
        """Words of some elements."""
        ...

    def put(self, position: NDArray[np.int64], words: Words) -> None:
        """Replace them."""
        ...


class _Plain:
    """An array with one word an element."""

    def __init__(self, words: Words) -> None:
        self._words = words

    def get(self, position: NDArray[np.int64]) -> Words:
        return self._words[position]

    def put(self, position: NDArray[np.int64], words: Words) -> None:
        self._words[position] = words


class _Packed:
    """An array of bytes with several elements in each."""

    def __init__(self, data: NDArray[np.uint8], element: ElementType) -> None:
        self._data = data
        self._element = element

    def get(self, position: NDArray[np.int64]) -> Words:
        return packed_words(self._data, position, self._element)

    def put(self, position: NDArray[np.int64], words: Words) -> None:
        change_packed(self._data, position, words, self._element)


class LiftedTensors:
    """Arrays that sessions read in every run: a change is seen by the next one.

    Args:
        graph: The graph that holds the tensors.
        names: Its initializers, those that are sure to be lifted.
    """

    def __init__(self, graph: Model, names: Iterable[str]) -> None:
        self.feeds: dict[str, NDArray[Any]] = {}
        self._held: dict[str, _Held] = {}
        self.nbytes = 0
        self._graph = graph
        for name in names:
            self.array(name)

    def array(self, name: str) -> NDArray[Any]:
        """The array of an initializer, whether it was among the names or not."""
        if name not in self.feeds:
            entry = self._graph.index.initializers[name]
            assert entry.element is not None
            words = initializer_words(self._graph, name)
            array = in_bytes if entry.in_bytes else from_words
            values = array(words, entry.element, entry.shape)
            flat = values.reshape(-1)
            if entry.in_bytes:
                self._held[name] = _Packed(flat, entry.element)
            else:
                self._held[name] = _Plain(flat.view(format_of(entry.element).word))
            self.feeds[name] = values
            self.nbytes += values.nbytes
        return self.feeds[name]

    @contextmanager
    def armed(self, changes: Sequence[TensorChange]) -> Iterator[None]:
        """Change elements inside the ``with`` block; afterwards they are what they were."""
        before: list[tuple[TensorChange, Words]] = []
        try:
            for change in changes:
                held = self._held[change.initializer]
                before.append((change, held.get(change.position)))
                held.put(change.position, change.words)
            yield
        finally:
            # Backwards, should two changes meet in one element.
            for change, clean in reversed(before):
                self._held[change.initializer].put(change.position, clean)


def changes_of(
    scenario: Scenario,
    sites: Mapping[str, FaultSite],
    stored: Mapping[str, Words],
    images: Mapping[str, Sequence[Image]],
) -> list[TensorChange]:
    """What the faults of a scenario in mapped tensors change in a graph's initializers.

    Args:
        scenario: The faults.
        sites: Sites by name.
        stored: Fault-free words of the mapped sites, by name.
        images: Where each mapped site lies, by name; faults in others are left out.

    Raises:
        FaultError: An index is out of range, or a fault is bound to one sample.
    """
    found = []
    for group in scenario.groups:
        if group.site not in images:
            continue
        site = sites[group.site]
        index, faulty = faulty_elements(group, site, stored[site.name])
        for image in images[site.name]:
            entries, owner = image.find(index)
            words = image.arriving(faulty[owner], site.element, entries)
            position = image.positions(entries)
            found.append(
                TensorChange(initializer=image.initializer, position=position, words=words)
            )
    return found
