"""Baking: a scenario written into an ordinary faulty model, for any runtime."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

import numpy as np

from onnxfi.bits import Words
from onnxfi.errors import FaultError
from onnxfi.faults import (
    FaultGroup,
    FaultSite,
    Scenario,
    disarmed,
    one_graph,
    whole_scenario,
    whole_tensors,
)
from onnxfi.graph import (
    Model,
    NodeGroup,
    endpoints,
    initializer_words,
    insert,
    raise_opset,
    replace_initializers,
    unique_prefix,
)
from onnxfi.inject._able import can_bake
from onnxfi.inject._arm import faulty_elements
from onnxfi.inject._columns import whole_columns
from onnxfi.inject._gate import gate, gated, in_time, refuse_gated_graphs
from onnxfi.inject._graph import baked_graph, graph_opset
from onnxfi.inject._primitive import Chain, masks_as_values, node, opset_needed, primitive
from onnxfi.inject._view import sample_view


def bake(
    model: Model,
    scenario: Scenario,
    sites: Mapping[str, FaultSite],
    *,
    in_sequences: bool = False,
) -> Model:
    """Write a scenario into a model; the result needs no onnxfi to run.

    Faults in stored tensors become new data, at any opset and element type. Faults in computed
    tensors become nodes with constant indices and masks, which hit the same element in every
    sample, whatever the batch; they may need a newer opset.

    Args:
        model: The model; not changed.
        scenario: The faults, all of them there for every sample.
        sites: Sites by name, at least those that the scenario touches.
        in_sequences: The model runs once for each step of a sequence, so steps of sites are those.

    Raises:
        FaultError: A site is unknown or can't be baked, an index is out of range, or a fault is
            bound to one sample, or to one step of a sequence.
        UnsupportedModelError: The opset can't be raised.
    """
    scenario = whole_scenario(scenario, sites)
    sites = {**sites, **{site.name: site for site in whole_tensors(sites.values())}}
    stored: list[tuple[FaultGroup, FaultSite]] = []
    computed: list[tuple[FaultGroup, FaultSite]] = []
    for group in scenario.groups:
        site = _site(group.site, sites, scenario)
        if in_sequences and gated([site]):
            raise FaultError(
                f"site {site.name!r} is one step of a sequence, and the model that is written runs"
                f" in every step; choose {site.tensor!r}"
            )
        (stored if site.kind.stored else computed).append((group, site))
    edited = model
    if stored:
        edited = replace_initializers(edited, {g.site: _faulty(model, g, s) for g, s in stored})
    if computed:
        edited = raise_opset(edited, opset_for(scenario, sites))
        groups: dict[str, list[tuple[FaultSite, FaultGroup]]] = {}
        for group, site in computed:
            groups.setdefault(site.tensor, []).append((site, group))
        edited = insert(edited, [_group(edited, steps) for steps in groups.values()])
    return edited


def opset_for(scenario: Scenario, sites: Mapping[str, FaultSite]) -> int:
    """The opset to which baking a scenario raises a model; 0 if it leaves it alone."""
    return max(
        (
            opset_needed(sites[group.site].element)
            if group.graph is None
            else graph_opset(group.graph)
            for group in scenario.groups
            if not sites[group.site].kind.stored
        ),
        default=0,
    )


def without_effect(scenario: Scenario, sites: Mapping[str, FaultSite]) -> Scenario:
    """A scenario that bakes into the same nodes but changes no bit.

    Faults in computed tensors keep all bits, those in stored tensors are left out. It makes the
    golden counterpart of a baked model, in which the runtime chooses the same kernels.
    """
    groups = []
    in_steps = {sites[name].tensor for name in scenario.sites if sites[name].step is not None}
    for group in scenario.groups:
        site = sites[group.site]
        if group.graph is not None:
            groups.append(disarmed(group))
        # Where some faults of a tensor are bound to a step, these make the same nodes.
        elif not site.kind.stored and (site.step is not None or site.tensor not in in_steps):
            keep = np.full(1, np.iinfo(np.uint64).max, np.uint64)
            none = np.zeros(1, np.uint64)
            first = np.zeros(1, np.int64)
            groups.append(replace(group, index=first, and_mask=keep, xor_mask=none, sample=None))
    return replace(scenario, groups=tuple(groups))


def _site(name: str, sites: Mapping[str, FaultSite], scenario: Scenario) -> FaultSite:
    site = sites.get(name)
    if site is None:
        raise FaultError(f"scenario {scenario.number} has a fault on unknown site {name!r}")
    reason = can_bake(site)
    if reason is not None:
        raise FaultError(f"faults on site {name!r} can't be written into a model: {reason}")
    return site


def _faulty(model: Model, group: FaultGroup, site: FaultSite) -> Words:
    """New words of a stored tensor, changed where they are: it may be large."""
    words = initializer_words(model, group.site)
    index, changed = faulty_elements(group, site, words)
    words[index] = changed
    return words


def _group(model: Model, groups: Sequence[tuple[FaultSite, FaultGroup]]) -> NodeGroup:
    """Nodes that fault the same elements of every sample, for any number of samples.

    The tensor is seen as (samples, elements of a sample), elements are gathered along axis 1 and
    scattered back.

    Args:
        model: The model that they will be inserted into.
        groups: Faults in steps of one tensor.
    """
    sites = [site for site, _ in groups]
    site = sites[0].whole()
    graph = one_graph(site.name, (group.graph for _, group in groups))
    if graph is not None:
        refuse_gated_graphs(sites)
        ((_, group),) = groups
        return baked_graph(model, group, site)
    prefix = f"{unique_prefix(model)}{site.name}/"
    ends = endpoints(model, site.name)
    columns, step = in_time([(site, whole_columns(group, site)) for site, group in groups])
    names = {
        key: f"{prefix}{key}"
        for key in ("rows", "index", "and", "xor", "step", "gathered", "each", "spread")
    }
    view, undo, shapes = sample_view(site, prefix, ends)
    fed = (names["index"], names["and"], names["xor"])
    now = gate(model, site.name, prefix, fed, names["step"] if gated(sites) else None)
    index, and_mask, xor_mask = now.columns
    chain = Chain(elements=names["gathered"], and_mask=and_mask, xor_mask=xor_mask)
    masking, values = primitive(chain, site.element, prefix)
    spread = [names["rows"], names["spread"], values]
    nodes = [
        *view,
        *now.nodes,
        node("Gather", prefix, [names["rows"], index], names["gathered"], {"axis": 1}),
        *masking,
        node("Shape", prefix, [names["gathered"]], names["each"]),
        node("Expand", prefix, [index, names["each"]], names["spread"]),
        node("ScatterElements", prefix, spread, f"{prefix}scattered", {"axis": 1}),
        *undo,
    ]
    constants = {
        names["index"]: columns.index,
        names["and"]: masks_as_values(columns.and_mask, site.element),
        names["xor"]: masks_as_values(columns.xor_mask, site.element),
        **({names["step"]: step} if now.nodes else {}),
        **now.constants,
        **{name: np.array(dims, np.int64) for name, dims in shapes.items()},
    }
    return NodeGroup(
        value=site.name, nodes=tuple(nodes), constants=constants, counters=now.counters
    )
