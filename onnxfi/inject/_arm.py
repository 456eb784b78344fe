"""Arming: the feeds that carry a scenario into an instrumented model."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from onnxfi.bits import Words, from_words, in_bytes, out_of_bytes, to_words
from onnxfi.errors import FaultError
from onnxfi.faults import FaultGroup, FaultSite, Scenario, check_graph
from onnxfi.inject._columns import (
    BatchWindow,
    RunColumns,
    faulted,
    layout_of,
    whole_columns,
    window_columns,
)
from onnxfi.inject._gate import in_time
from onnxfi.inject._graph import GraphPort
from onnxfi.inject._instrument import Instrumented, Lift
from onnxfi.inject._port import Port
from onnxfi.inject._primitive import masks_as_values

Feed = NDArray[Any]
"""An input in the value dtype of its element type (ml_dtypes for bfloat16 and float8)."""


def arm(
    instrumented: Instrumented,
    scenario: Scenario | None,
    *,
    window: BatchWindow,
    stored_words: Mapping[str, Words],
) -> dict[str, Feed]:
    """All extra inputs of an instrumented model for one run.

    Args:
        instrumented: The model.
        scenario: The faults; None for the fault-free run (k = 0).
        window: Which samples the run holds.
        stored_words: Fault-free words of every lifted tensor, by site name.

    Raises:
        FaultError: The scenario has a fault on a site that is not open, an index out of range, or
            a fault bound to one sample where that makes no sense.
    """
    feeds = disarmed_feeds(instrumented, stored_words)
    if scenario is not None:
        feeds |= armed_feeds(instrumented, scenario, window=window, stored_words=stored_words)
    return feeds


def disarmed_feeds(
    instrumented: Instrumented, stored_words: Mapping[str, Words]
) -> dict[str, Feed]:
    """All extra inputs with no fault in them; the same for every run."""
    none = np.empty(0, np.uint64)
    nothing = RunColumns(index=np.empty(0, np.int64), and_mask=none, xor_mask=none)
    feeds: dict[str, Feed] = {}
    for port in instrumented.ports:
        feeds |= port_feeds(port, nothing)
    for graph in instrumented.graph_ports:
        feeds |= _graph_feeds(graph, np.zeros(1, np.int64), armed=False)
    for lift in instrumented.lifts:
        feeds[lift.input_name] = stored_array(stored_words[lift.site.name], lift.site)
    return feeds


def armed_feeds(
    instrumented: Instrumented,
    scenario: Scenario,
    *,
    window: BatchWindow,
    stored_words: Mapping[str, Words],
) -> dict[str, Feed]:
    """Only the inputs that differ from :func:`disarmed_feeds`; arguments as :func:`arm`."""
    ports = {port.site.name: port for port in instrumented.ports}
    lifts = {lift.site.name: lift for lift in instrumented.lifts}
    graphs = {port.site.name: port for port in instrumented.graph_ports}
    feeds: dict[str, Feed] = {}
    at_port: dict[str, list[tuple[FaultSite, RunColumns]]] = {}
    for group in scenario.groups:
        site = instrumented.sites.get(group.site)
        if group.site in graphs and graphs[group.site].graph == group.graph:
            check_graph(group, graphs[group.site].site)
            index = whole_columns(group, graphs[group.site].site).index
            feeds |= _graph_feeds(graphs[group.site], index, armed=True)
        elif site is not None and site.tensor in ports and group.graph is None:
            columns = window_columns(group, site, window)
            at_port.setdefault(site.tensor, []).append((site, columns))
        elif group.site in lifts:
            lift = lifts[group.site]
            feeds[lift.input_name] = _faulty_values(lift, group, stored_words[group.site])
        else:
            raise FaultError(
                f"scenario {scenario.number} has a fault on site {group.site!r}, which is not open"
                f" in this model"
            )
    for tensor, parts in at_port.items():
        feeds |= _in_steps(ports[tensor], parts)
    return feeds


def _graph_feeds(port: GraphPort, index: NDArray[np.int64], *, armed: bool) -> dict[str, Feed]:
    feeds: dict[str, Feed] = {port.armed_input: np.array(int(armed), np.int64)}
    if port.index_input is not None:
        feeds[port.index_input] = index
    return feeds


def faulty_elements(
    group: FaultGroup, site: FaultSite, words: Words
) -> tuple[NDArray[np.int64], Words]:
    """The elements of a stored tensor that faults touch, and their words with the faults in them.

    Args:
        group: The faults.
        site: The tensor.
        words: All its words.

    Returns:
        Flat indices, each once, int64 (k,); words (k,).

    Raises:
        FaultError: An index is out of range, or a fault is bound to one sample.
    """
    columns = whole_columns(group, site)
    return columns.index, faulted(words[columns.index], columns, site.element)


def faulty_words(group: FaultGroup, site: FaultSite, words: Words) -> Words:
    """A copy of a stored tensor's words with the faults in it; arguments as faulty_elements."""
    index, changed = faulty_elements(group, site, words)
    faulty = words.copy()
    faulty[index] = changed
    return faulty


def stored_array(words: Words, site: FaultSite) -> NDArray[Any]:
    """A stored tensor as operators read it, from the words of its elements."""
    shape = layout_of(site).shape
    if site.in_bytes:
        return in_bytes(words, site.element, shape)
    return from_words(words, site.element, shape)


def words_in(values: NDArray[Any], site: FaultSite) -> Words:
    """The words of a stored tensor's elements, from the tensor as operators read it."""
    if site.in_bytes:
        return out_of_bytes(values, site.element)
    return to_words(values.reshape(-1), site.element)


def _faulty_values(lift: Lift, group: FaultGroup, words: Words) -> Feed:
    return stored_array(faulty_words(group, lift.site, words), lift.site)


def _in_steps(port: Port, parts: Sequence[tuple[FaultSite, RunColumns]]) -> dict[str, Feed]:
    """Feeds of a port from faults in steps of its tensor."""
    if port.step_input is None:
        return port_feeds(port, parts[0][1])
    columns, step = in_time(parts)
    return {**port_feeds(port, columns), port.step_input: step}


def port_feeds(port: Port, columns: RunColumns) -> dict[str, Feed]:
    """The inputs of a port that carry faults in, for every step.

    Args:
        port: The port.
        columns: The faults of one run, each element once, in the value that the port is on.
    """
    element = port.site.element
    every = {} if port.step_input is None else {port.step_input: np.full(columns.index.size, -1)}
    return {
        **every,
        port.index_input: columns.index,
        port.and_input: masks_as_values(columns.and_mask, element),
        port.xor_input: masks_as_values(columns.xor_mask, element),
    }
