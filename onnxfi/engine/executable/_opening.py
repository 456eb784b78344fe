"""Opened graphs: what engines run, ready to take faults at some sites."""

from __future__ import annotations

from collections.abc import Hashable, Mapping, Sequence, Set
from dataclasses import dataclass
from functools import cached_property
from types import MappingProxyType
from typing import Any

from numpy.typing import NDArray

from onnxfi.bits import has_format
from onnxfi.engine.executable._grouping import rounded_when_packed, stays_whole
from onnxfi.engine.executable._mapping import Image, map_weights, unmoved
from onnxfi.engine.executable._optimize import optimized
from onnxfi.engine.executable._places import TensorPlace, find_places
from onnxfi.engine.golden import EngineContext, Observation, observe
from onnxfi.engine.runtime import EngineSettings, Watchdog, find_provider
from onnxfi.faults import FaultSite
from onnxfi.graph import (
    Form,
    Model,
    expose,
    initializer_words,
    lift_initializers,
    rejoin,
    separate,
)
from onnxfi.graph.ops import is_a
from onnxfi.inject import stored_array


@dataclass(frozen=True, kw_only=True)
class Opening:
    """Sites that a graph is opened for, by how faults get in.

    Attributes:
        computed: Computed tensors; they have to exist in the graph.
        fed: Stored tensors that are inputs before the graph is optimised.
        mapped: Stored tensors that are traced into the optimised graph.
        exposed: Names of computed tensors that exist in the graph as well, wherever faults are:
            what the graph is like then does not depend on which of them a campaign is about.
        shared: Whether many scenarios share the graph: sites that it can't hold after all are told
            from the others. The graph of one scenario has to hold all of its sites.
    """

    computed: tuple[FaultSite, ...] = ()
    fed: tuple[FaultSite, ...] = ()
    mapped: tuple[FaultSite, ...] = ()
    exposed: tuple[str, ...] = ()
    shared: bool = False

    @cached_property
    def key(self) -> tuple[Hashable, ...]:
        """What tells it from the other openings of a campaign: names, by how faults get in."""
        roles = (self.computed, self.fed, self.mapped)
        names = (tuple(site.name for site in sites) for sites in roles)
        return (*names, self.exposed, self.shared)

    @property
    def kept(self) -> tuple[str, ...]:
        """Names of the computed tensors that exist in the graph, in an order of their own."""
        return tuple(dict.fromkeys((*self.exposed, *sorted(site.name for site in self.computed))))


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class OpenGraph:
    """A graph and where the sites of an opening are in it.

    Attributes:
        model: The graph.
        replay: Whether it is the executable graph, which runs as it is; else onnxruntime still
            optimises its parts.
        observation: What its values look like.
        places: Where computed tensors lie, by site.
        fed: Clean arrays of the inputs besides the workload's, by site.
        images: Where mapped tensors lie, by site.
        packed: Initializers with an image that sessions pack: lifted only if touched.
        matrices: All initializers that sessions pack, small ones left out: lifted where a scenario
            touches several.
        constant: Initializers that must not be lifted, since kernels would round otherwise.
        unmapped: Why a tensor could not be mapped, by site.
        by_work: Whether it may be cut wherever work begins, not only where faults enter.
    """

    model: Model
    replay: bool
    observation: Observation
    places: Mapping[str, TensorPlace]
    fed: Mapping[str, NDArray[Any]]
    images: Mapping[str, tuple[Image, ...]]
    packed: frozenset[str]
    matrices: frozenset[str]
    constant: frozenset[str]
    unmapped: Mapping[str, str]
    by_work: bool = True

    @property
    def nbytes(self) -> int:
        """Bytes held, roughly."""
        moved = {id(p.position): p.position for p in self.places.values() if p.position is not None}
        images = [image for each in self.images.values() for image in each]
        return (
            sum(entry.nbytes for entry in self.model.index.initializers.values())
            + sum(position.nbytes for position in moved.values())
            + sum(image.nbytes for image in images)
        )


def open_executable(
    context: EngineContext, opening: Opening, watchdog: Watchdog, *, apart: bool = False
) -> OpenGraph:
    """The executable graph with an opening.

    Computed sites are outputs while onnxruntime optimises, so that it keeps them.

    Args:
        context: Model, workload and settings.
        opening: The sites.
        watchdog: Ends runs that take too long.
        apart: Also take the graph apart at computed sites while it is optimised: so they are
            surely what their readers read, at the cost of layouts that go on across them.

    Raises:
        BackendError: onnxruntime can't write or run its optimised graph.
        ModelError: That graph can't be read.
        GoldenError: The fault-free run fails.
    """
    context = context.first_step()
    settings = context.settings
    stored = with_inputs(context.model, opening.fed)
    fed = _clean(context.model, opening.fed)
    names = opening.kept
    if apart:
        inner = [name for name in names if stored.index.producer(name) is not None]
        model = separate(stored, inner)
        executable = optimized(model, settings)
        found = map_weights(model, executable, opening.mapped, settings)
        outputs = [spec.name for spec in stored.outputs]
        executable = rejoin(executable, inner, outputs)
        places = {site.name: TensorPlace(value=site.name, site=site) for site in opening.computed}
        seen = observe(executable, context, fed, watchdog, replay=True)
    else:
        model = expose(stored, names)
        executable = optimized(model, settings)
        found = map_weights(model, executable, opening.mapped, settings)
        seen = observe(executable, context, fed, watchdog, replay=True)
        places = find_places(opening.computed, executable, seen.examples, seen.layouts)
    for name, images in tuple(found.images.items()):
        if any(executable.index.initializers[image.initializer].scope for image in images):
            del found.images[name]
            found.unmapped[name] = "the optimised graph holds it in a control-flow body"
    constant = rounded_when_packed(executable)
    return OpenGraph(
        model=executable,
        replay=True,
        observation=seen.without_elements(),
        places=MappingProxyType(places),
        fed=MappingProxyType(fed),
        images=MappingProxyType(found.images),
        packed=frozenset(_packed(executable, found.images, settings)),
        matrices=_matrices(executable, settings) - constant,
        constant=constant,
        unmapped=MappingProxyType(found.unmapped),
    )


def open_stored(context: EngineContext, opening: Opening, watchdog: Watchdog) -> OpenGraph:
    """The stored graph with an opening; onnxruntime optimises each of its parts."""
    fed = _clean(context.model, opening.fed)
    model = with_inputs(context.model, opening.fed)
    seen = observe(model, context, fed, watchdog, replay=False)
    images = {site.name: (unmoved(site),) for site in opening.mapped}
    # Lifting a constant changes how its part is optimised.
    packed = () if context.settings.optimization == "disabled" else images
    return OpenGraph(
        model=model,
        replay=False,
        observation=seen.without_elements(),
        places=MappingProxyType(
            {site.name: TensorPlace(value=site.name, site=site) for site in opening.computed}
        ),
        fed=MappingProxyType(fed),
        images=MappingProxyType(images),
        packed=frozenset(packed),
        matrices=frozenset(),
        constant=frozenset(),
        unmapped=MappingProxyType({}),
        by_work=not (find_provider(context.settings).on_cpu and stays_whole(context.model)),
    )


def with_inputs(model: Model, sites: Sequence[FaultSite]) -> Model:
    """The model with some stored tensors as inputs."""
    return lift_initializers(model, [site.name for site in sites]) if sites else model


def _clean(model: Model, sites: Sequence[FaultSite]) -> dict[str, NDArray[Any]]:
    return {site.name: stored_array(initializer_words(model, site.name), site) for site in sites}


def _packed(
    executable: Model, images: Mapping[str, Sequence[Image]], settings: EngineSettings
) -> set[str]:
    """Initializers with an image that some operator would pack."""
    if settings.optimization == "disabled":  # then nothing is packed
        return set()
    names = {image.initializer for each in images.values() for image in each}
    return {name for name in names if _packs(executable, name)}


def _matrices(executable: Model, settings: EngineSettings) -> frozenset[str]:
    """Initializers that some operator would pack, but for vectors, which none does."""
    if settings.optimization == "disabled":
        return frozenset()
    return frozenset(
        entry.name
        for entry in executable.index.initializers.values()
        if len(entry.shape) > 1
        and entry.element is not None
        and has_format(entry.element)
        and not entry.scope
        and entry.form is Form.TENSOR
        and _packs(executable, entry.name)
    )


def _packs(executable: Model, name: str) -> bool:
    # Lifted, such an input costs time in every run, so it is lifted only where a scenario touches
    # it. The blocked convolutions (com.microsoft.nchwc) take a filter that is already laid out.
    return any(is_a(use.node.op_type, "packs") for use in executable.index.consumers(name))


def packed_for(graph: OpenGraph, changed: Set[str]) -> tuple[str, ...]:
    """Packed tensors that are lifted for a scenario: the one that it changes.

    Where it changes several, these and all matrices of the graph: so the sessions depend on the
    scenario alone, and there are few of them.

    Args:
        graph: The graph.
        changed: Initializers that the scenario changes.
    """
    touched = changed & graph.packed
    return tuple(sorted(touched if len(touched) <= 1 else touched | graph.matrices))
