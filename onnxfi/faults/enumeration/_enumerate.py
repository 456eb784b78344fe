"""Enumeration: every tensor of a model becomes a site, or is left out with a reason."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass, replace

from onnxfi.bits import Words
from onnxfi.faults.enumeration._computed import Computed, static_values
from onnxfi.faults.enumeration._stored import Stored
from onnxfi.faults.enumeration._uses import Uses, structural_nodes
from onnxfi.faults.sites import FaultSite, LeftOut, SampleLayout, StoredWords
from onnxfi.faults.steps import labelled
from onnxfi.graph import Body, GraphIndex, TensorSpec


@dataclass(frozen=True, slots=True, kw_only=True)
class SiteTable:
    """All tensors of a model.

    Attributes:
        sites: Those that can be faulted: stored tensors in file order, data in attributes, then
            graph inputs, then node outputs in topological order. Fault numbers depend on it.
        left_out: The others, each with its reason.
    """

    sites: tuple[FaultSite, ...]
    left_out: tuple[LeftOut, ...]

    def reading(self, words: Callable[[str], Words]) -> SiteTable:
        """The same sites, whose stored words can be asked for.

        Args:
            words: Reads those of a tensor by its name, flat, one word an element.
        """
        stored = StoredWords(words)
        sites = tuple(
            replace(site, stored=stored) if site.kind.stored else site for site in self.sites
        )
        return replace(self, sites=sites)

    def by_name(self) -> dict[str, FaultSite]:
        """The sites by name."""
        return {site.name: site for site in self.sites}


def enumerate_sites(
    index: GraphIndex,
    inputs: tuple[TensorSpec, ...],
    outputs: tuple[TensorSpec, ...],
    layouts: Mapping[str, SampleLayout] | None = None,
    unseen: Mapping[str, str] | None = None,
    states: Collection[str] = (),
) -> SiteTable:
    """List a model's fault sites.

    Stored data whose numbers enter the computation is a site of kind weight, bias, scale, zero
    point, sparse index or constant; graph inputs and computed values, those in control-flow bodies
    included, are sites of kind input and activation; what an iteration of a loop gets from the one
    before is of kind state. Nothing is dropped in silence: what is no site is left out with a
    reason.

    Args:
        index: Facts about the graph.
        inputs: Graph inputs that are fed.
        outputs: Graph outputs.
        layouts: Run-time layouts of computed values, by name, from a profile. Without them,
            inputs and activations have no layout and can't be part of a fault space; with them,
            computed values that have none are left out.
        unseen: Why the profile found no layout, by name; shown as the reason.
        states: Graph inputs that hold the state of a streaming model: sites of kind state.

    Returns:
        Sites and left-out tensors; together all stored data, inputs and node outputs.
    """
    static = static_values(index)
    stored = Stored(uses=Uses(index=index, structure=structural_nodes(index), static=static))
    returned = frozenset(spec.name for spec in outputs)
    computed = Computed(
        index=index,
        outputs=returned,
        needed=needed_values(index, returned),
        static=static,
        layouts=layouts,
        unseen=unseen or {},
        states=frozenset(states),
    )
    found = list(_all(index, inputs, stored, computed))
    sites = [item for item in found if isinstance(item, FaultSite)]
    return SiteTable(
        sites=labelled(sites, index, static),
        left_out=tuple(item for item in found if isinstance(item, LeftOut)),
    )


def _all(
    index: GraphIndex, inputs: tuple[TensorSpec, ...], stored: Stored, computed: Computed
) -> Iterator[FaultSite | LeftOut]:
    for data in index.stored.values():
        yield stored.site(data)
    for spec in inputs:
        yield computed.input_site(spec)
    bodies: dict[str, list[Body]] = {}
    for body in index.bodies.values():
        bodies.setdefault(body.owner.name, []).append(body)
    for node in index.nodes:
        yield from computed.output_sites(node)
        for body in bodies.get(node.name, ()):
            yield from computed.body_sites(body)


def needed_values(index: GraphIndex, outputs: Iterable[str]) -> frozenset[str]:
    """Values that some output depends on.

    Args:
        index: The graph. Whoever needs an output of a node with bodies needs all that these read.
        outputs: Names of the graph outputs.
    """
    reads: dict[str, set[str]] = {}
    makes: dict[str, set[str]] = {}
    for node in index.nodes:
        around = index.around(node.scope)
        top = around[-1].owner.name if around else node.name
        reads.setdefault(top, set()).update(node.inputs)
        makes.setdefault(top, set()).update(node.outputs)
    for body in index.bodies.values():
        top = index.around(body.path)[-1].owner.name
        reads[top].update(body.outputs)  # which may be values of the graph around
        makes[top].update(body.inputs)
    makers = {value: top for top, values in makes.items() for value in values}
    needed = set(outputs)
    pending = list(needed)
    done: set[str] = set()
    while pending:
        maker = makers.get(pending.pop())
        if maker is not None and maker not in done:
            done.add(maker)
            new = (reads[maker] | makes[maker]) - needed
            needed |= new
            pending.extend(new)
    return frozenset(needed)
