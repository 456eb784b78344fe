"""The iteration gate: of all faults in a loop's tensor, those that are there in this iteration."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from onnxfi.errors import FaultError
from onnxfi.faults import FaultSite
from onnxfi.graph import Model, NodeSpec, ScanCounter, iteration_of
from onnxfi.inject._columns import RunColumns
from onnxfi.inject._primitive import node

ALWAYS = -1
"""The step of faults that are there in every iteration."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Gate:
    """Nodes that let the faults of the current iteration through.

    Attributes:
        nodes: The nodes; none where nothing is gated.
        columns: Names of the columns behind them, in the order given.
        constants: Initializers that they need.
        counters: Counters of Scans that they need.
    """

    nodes: tuple[NodeSpec, ...]
    columns: tuple[str, ...]
    constants: Mapping[str, NDArray[Any]]
    counters: tuple[ScanCounter, ...]


def gate(model: Model, tensor: str, prefix: str, columns: Sequence[str], step: str | None) -> Gate:
    """A gate for columns of faults.

    Left-out faults leave the columns, so that an iteration without faults costs next to nothing,
    and no arithmetic on masks is needed, which some types have no operators for.

    Args:
        model: The model that the nodes will be inserted into.
        tensor: The tensor that is faulted, in the body of a loop.
        prefix: Start of all names that are made.
        columns: Names of the columns, one row a fault.
        step: Name of the column int64 (k,) that says in which iteration each is there, -1 for all;
            None to gate nothing.

    Raises:
        FaultError: The tensor is in no loop.
    """
    if step is None:
        return Gate(nodes=(), columns=tuple(columns), constants={}, counters=())
    iteration = iteration_of(model, tensor)
    if iteration is None:
        raise FaultError(f"{tensor!r} is in no loop, so its faults can't be bound to one step")
    always = f"{prefix}always"
    now, ever, there = f"{prefix}now", f"{prefix}ever", f"{prefix}there"
    kept = tuple(f"{name}/there" for name in columns)
    nodes = [
        node("Equal", prefix, [step, iteration.name], now),
        node("Equal", prefix, [step, always], ever),
        node("Or", prefix, [now, ever], there),
        *(
            node("Compress", prefix, [name, there], after, {"axis": 0})
            for name, after in zip(columns, kept, strict=True)
        ),
    ]
    return Gate(
        nodes=tuple(nodes),
        columns=kept,
        constants={always: np.array(ALWAYS, np.int64)},
        counters=iteration.counters,
    )


def gated(sites: Sequence[FaultSite]) -> bool:
    """Whether some sites of one tensor are bound to a step."""
    return any(site.repeated and site.step is not None for site in sites)


def refuse_gated_graphs(sites: Sequence[FaultSite]) -> None:
    """Refuse fault graphs that are bound to a step.

    Raises:
        FaultError: A site of a fault graph is a single step of its tensor.
    """
    for site in sites:
        if gated([site]):
            raise FaultError(
                f"a fault that is a graph can't be bound to one iteration ({site.name!r}); put it"
                f" on {site.tensor!r}, where it acts in all of them"
            )


def by_tensor(sites: Sequence[FaultSite]) -> dict[str, list[FaultSite]]:
    """Sites that are steps of one tensor together, in the order of the first of each."""
    found: dict[str, list[FaultSite]] = {}
    for site in sites:
        found.setdefault(site.tensor, []).append(site)
    return found


def in_time(parts: Sequence[tuple[FaultSite, RunColumns]]) -> tuple[RunColumns, NDArray[np.int64]]:
    """Faults in steps of one tensor as one set of columns, and the step of each.

    Raises:
        FaultError: An element is hit in every step and besides in one of them: the masks would
            have to be composed anew in each iteration.
    """
    steps = [ALWAYS if site.step is None else site.step for site, _ in parts]
    step = np.repeat(np.array(steps, np.int64), [len(columns.index) for _, columns in parts])
    index = np.concatenate([columns.index for _, columns in parts])
    both = np.intersect1d(index[step == ALWAYS], index[step != ALWAYS])
    if len(both):
        name = parts[0][0].tensor
        raise FaultError(
            f"element {both[0]} of {name!r} has a fault in every step and one in a single step;"
            f" name the steps of both (column step)"
        )
    columns = RunColumns(
        index=index,
        and_mask=np.concatenate([columns.and_mask for _, columns in parts]),
        xor_mask=np.concatenate([columns.xor_mask for _, columns in parts]),
    )
    return columns, step
