"""The readings of sequences: which axis of inputs and states holds the samples of one run."""

from __future__ import annotations

import itertools
from collections.abc import Mapping, Sequence

from onnxfi.graph import TensorSpec
from onnxfi.workload._dims import Dim, is_free, symbol_of
from onnxfi.workload._families import Family, families, first_axes
from onnxfi.workload._reading import EACH, WHOLE, InputRole, Reading, SampleChoice
from onnxfi.workload._stream import Stream
from onnxfi.workload._ways import MOST_WAYS, Ways


def stream_ways(
    inputs: Sequence[TensorSpec],
    stream: Stream,
    ranks: Mapping[str, int],
    choice: SampleChoice,
    outputs: Mapping[str, int],
) -> Ways:
    """The readings of sequences, likely ones first.

    Arrays always have samples first and steps second, so the readings differ in the model's axes
    only: the first open ones, or those of one name, and for states that of the same name, else
    any open one (recurrent layers keep the batch on axis 1).

    Args:
        inputs: The model's inputs.
        stream: Which of them are state.
        ranks: Ranks of the arrays that are given.
        choice: What the user says about samples.
        outputs: Batch axes of outputs that the user has said.
    """
    fed = [spec for spec in inputs if spec.name in stream.inputs]
    states = [spec for spec in inputs if spec.name not in stream.inputs]
    every = Reading(inputs={spec.name: EACH for spec in inputs}, outputs=outputs)
    doubled = any(
        spec.shape is not None and ranks.get(spec.name) == len(spec.shape) + 2 for spec in fed
    )
    batches = _batches(fed)
    if choice.runs or doubled or not (batches or choice.axes):
        return Ways(ways=(every,), fallback=every)
    found: list[Reading] = []
    for batch in batches or [[]]:
        axes = {name: axis for family in batch for name, axis, _ in reversed(family.places)}
        dims = [dim for family in batch for _, _, dim in family.places]
        options = [_state_axes(spec, dims) for spec in states]
        for chosen in itertools.islice(itertools.product(*options), MOST_WAYS):
            placed = axes | {
                spec.name: axis
                for spec, axis in zip(states, chosen, strict=True)
                if axis is not None
            }
            found.append(_reading(inputs, placed, choice, outputs))
    # Each of them once, though the user may have said what they differ in.
    ways = {str(reading.texts()): reading for reading in found}
    return Ways(ways=tuple(ways.values())[:MOST_WAYS], fallback=None)


def _batches(fed: Sequence[TensorSpec]) -> list[list[Family]]:
    """Dimensions that may be the batch's: all open first ones together, then the others."""
    every = families(fed)
    unknown = [Family(places=((spec.name, 0, None),)) for spec in fed if spec.shape is None]
    if not (every or unknown):
        fixed = first_axes(fed)
        return [fixed] if fixed else []
    leading = [f for f in every if any(axis == 0 for _, axis, _ in f.places)] + unknown
    others = [[family] for family in every if family not in leading]
    return ([leading] if leading else []) + others


def _state_axes(spec: TensorSpec, batch: Sequence[Dim]) -> list[int | None]:
    """Axes of a state that may hold the samples; None where they can't be told apart in it."""
    if spec.shape is None:
        return [0]
    names = {symbol_of(dim) for dim in batch} - {None}
    same = [axis for axis, dim in enumerate(spec.shape) if symbol_of(dim) in names]
    if same:
        return list(same)
    fixed = {dim for dim in batch if not is_free(dim)}
    wanted = [
        axis for axis, dim in enumerate(spec.shape) if (dim in fixed if fixed else is_free(dim))
    ]
    return list(wanted) or [None]


def _reading(
    inputs: Sequence[TensorSpec],
    axes: Mapping[str, int],
    choice: SampleChoice,
    outputs: Mapping[str, int],
) -> Reading:
    said = {name: role.axis for name, role in choice.axes.items()}
    placed = {**axes, **said}
    roles = {}
    for spec in inputs:
        axis = None if spec.name in choice.whole else placed.get(spec.name)
        roles[spec.name] = WHOLE if axis is None else InputRole(axis=axis, at=0)
    return Reading(inputs=roles, outputs=outputs)
