"""Turns given arrays into a workload of sequences: each sample one, its steps on axis 1."""

from __future__ import annotations

import itertools
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from onnxfi.errors import WorkloadError
from onnxfi.workload._check import LABELS, Arrays, agree, numpy_dtype, typed
from onnxfi.workload._dims import (
    Dim,
    Family,
    families,
    first_axes,
    is_free,
    shape_text,
    symbol_of,
    without,
)
from onnxfi.workload._reading import EACH, MOST_WAYS, WHOLE, InputRole, Reading, SampleChoice, Ways
from onnxfi.workload._workload import Labels, Workload, digest, read_labels

if TYPE_CHECKING:
    from onnxfi.graph import TensorSpec
    from onnxfi.workload._stream import StateStream


@dataclass(slots=True, kw_only=True)
class _Roles:
    """Arrays by role; inputs have samples on axis 0, then (but for states) steps."""

    inputs: dict[str, NDArray[Any]] = field(default_factory=dict)
    held: dict[str, NDArray[Any]] = field(default_factory=dict)
    states: dict[str, NDArray[Any]] = field(default_factory=dict)
    constants: dict[str, NDArray[Any]] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Reader:
    """What arrays are checked against.

    Attributes:
        specs: The model's inputs by name.
        stream: Which of them are state.
        axes: Batch axes; of inputs without one, None.
        where: How messages name the source.
    """

    specs: Mapping[str, TensorSpec]
    stream: StateStream
    axes: Mapping[str, int | None]
    where: str

    def expected(self, name: str, *, whole: bool) -> tuple[Dim, ...] | None:
        """Shape that an array should have; None where the model declares none."""
        shape = self.specs[name].shape
        if shape is None:
            return None
        axis = self.axes[name]
        state = name in self.stream.state_inputs
        lead: tuple[Dim, ...] = ("samples",) if state else ("samples", "steps")
        if whole:
            return (*lead, *shape)
        return shape if axis is None else (*lead, *without(shape, axis))

    def check(self, name: str, values: NDArray[Any], expected: Sequence[Dim]) -> None:
        """Refuse an array of another shape."""
        fits = values.ndim == len(expected) and all(
            is_free(want) or want == got for want, got in zip(expected, values.shape, strict=True)
        )
        if not fits:
            raise WorkloadError(
                f"{self.where}: input {name!r} has shape {shape_text(values.shape)}, expected"
                f" {shape_text(expected)}: a sample is a whole sequence"
            )


@dataclass(frozen=True, slots=True, kw_only=True)
class SequenceArrays:
    """Arrays of sequences, and what they are for.

    Attributes:
        arrays: Input names (and optionally ``labels``) to arrays.
        inputs: The model's inputs.
        stream: Which of them are state.
        source: What to record as the workload's source.
        where: How messages name it.
    """

    arrays: Arrays
    inputs: Sequence[TensorSpec]
    stream: StateStream
    source: str
    where: str


def sequences_of(given: SequenceArrays, reading: Reading) -> Workload:
    """Check arrays against a streaming model's inputs and make the workload.

    An input that is fed anew in every step has samples on axis 0, steps on axis 1, then what one
    sample has in one run (without the batch axis). Without the axis of steps it is held over all
    of them; of the declared shape it is a constant. A state has samples first and no steps: it is
    the initial state, zeros where it is not given. In a model without a batch axis, and where
    arrays have two axes more than an input declares, each sample is a whole set of inputs.

    Args:
        given: The arrays.
        reading: Batch axes in single runs.

    Raises:
        WorkloadError: A name, dtype, shape or label does not fit the model.
        UnsupportedModelError: An input is of a kind that can't be fed.
    """
    stream, where = given.stream, given.where
    specs = {spec.name: spec for spec in given.inputs}
    labelled = LABELS in given.arrays and LABELS not in specs
    fed = {name: a for name, a in given.arrays.items() if not (labelled and name == LABELS)}
    axes = {name: role.axis for name, role in reading.inputs.items()}
    reader = _Reader(specs=specs, stream=stream, axes=axes, where=where)
    _check_names(fed, reader)
    found = {name: typed(values, specs[name], where) for name, values in fed.items()}
    whole = all(role == EACH for role in reading.inputs.values())
    roles = _roles(found, reader, whole=whole)
    labels = read_labels(given.arrays[LABELS], where) if labelled else None
    made = _finish(roles, reader, labels, given.source, whole=whole)
    fixed = None if whole else _fixed(reader)
    return replace(made, reading=reading, fixed_batch=fixed)


def _fixed(reader: _Reader) -> int | None:
    """Rows that the model insists on in every run."""
    for name in reader.stream.inputs:
        shape, axis = reader.specs[name].shape, reader.axes[name]
        dim = None if shape is None or axis is None else shape[axis]
        if isinstance(dim, int) and not is_free(dim):
            return dim
    return None


def _extra(values: NDArray[Any], spec: TensorSpec) -> int:
    """Axes that an array has beyond those that the model declares."""
    return 1 if spec.shape is None else values.ndim - len(spec.shape)


def _check_names(given: Arrays, reader: _Reader) -> None:
    names = ", ".join(map(repr, given)) or "nothing"
    for name in reader.stream.inputs:
        if name not in given:
            shape = reader.expected(name, whole=False)
            kind = reader.specs[name].element
            described = f"{'' if kind is None else kind.value} {shape_text(shape or ())}".strip()
            raise WorkloadError(
                f"{reader.where} has no input {name!r}; the model needs {name!r} {described};"
                f" it has: {names}"
            )
    for name in given:
        if name not in reader.specs:
            raise WorkloadError(
                f"{reader.where} has {name!r}, which is not an input of the model (inputs:"
                f" {', '.join(reader.specs)}; optional: 'labels'); remove or rename it"
            )


def _roles(found: Arrays, reader: _Reader, *, whole: bool) -> _Roles:
    roles = _Roles()
    for name, values in found.items():
        spec = reader.specs[name]
        extra = _extra(values, spec)
        state = name in reader.stream.state_inputs
        own = None if spec.shape is None else tuple(spec.shape)
        many = whole or reader.axes[name] is not None
        expected = reader.expected(name, whole=whole)
        if own is not None and extra == 0 and (whole or reader.axes[name] is None):
            reader.check(name, values, own)
            roles.constants[name] = values
        elif many and not state and own is not None and extra == (1 if whole else 0):
            assert expected is not None
            reader.check(name, values, ("samples", *expected[2:]))
            roles.held[name] = values
        else:
            if expected is not None:
                reader.check(name, values, expected)
            (roles.states if state else roles.inputs)[name] = values
    return roles


def _finish(
    roles: _Roles,
    reader: _Reader,
    labels: Labels | None,
    source: str,
    *,
    whole: bool,
) -> Workload:
    where, stream = reader.where, reader.stream
    if not roles.inputs:
        name = stream.inputs[0]
        raise WorkloadError(
            f"{where}: no input has steps; give {name!r} as"
            f" {shape_text(reader.expected(name, whole=whole) or ('samples', 'steps'))}"
        )
    several = {**roles.inputs, **roles.held, **roles.states}
    samples = agree({name: len(values) for name, values in several.items()}, where)
    steps = agree({name: a.shape[1] for name, a in roles.inputs.items()}, where, "steps", axis=1)
    if labels is not None and len(labels) != samples:
        raise WorkloadError(
            f"{where}: {len(labels)} labels for {samples} samples; give one label a sequence"
        )
    inputs = dict(roles.inputs)
    for name, values in roles.held.items():
        spread = np.broadcast_to(values[:, np.newaxis], (samples, steps, *values.shape[1:]))
        inputs[name] = spread
    constants = dict(roles.constants)
    for name in stream.state_inputs:
        if name in roles.states:
            inputs[name] = roles.states[name]
        elif name not in roles.constants:
            zeros = _zeros(name, roles, reader, whole=whole)
            if whole or reader.axes[name] is None:
                constants[name] = zeros
            else:
                inputs[name] = np.broadcast_to(zeros, (samples, *zeros.shape)).copy()
    axes: dict[str, int | None] = {}
    for name in inputs:
        axis = None if whole else reader.axes[name]
        time = 0 if name in stream.state_inputs else 1
        axes[name] = None if axis is None else axis + time
    for name in set(stream.inputs).intersection(constants):
        constants[name] = np.broadcast_to(constants[name], (steps, *constants[name].shape))
    return Workload(
        inputs=MappingProxyType(inputs),
        axes=MappingProxyType(axes),
        constants=MappingProxyType(constants),
        labels=labels,
        samples=samples,
        sha256=digest(inputs, constants, labels, stream),
        source=source,
        reading=Reading(inputs={}),
        stream=stream,
        steps=steps,
    )


def _zeros(name: str, roles: _Roles, reader: _Reader, *, whole: bool) -> NDArray[Any]:
    """The initial state that is not given, without the axis of samples."""
    spec, axis = reader.specs[name], reader.axes[name]
    sizes = list(spec.shape or (None,))
    if whole and axis is not None:
        given = ((reader.axes[each], values) for each, values in roles.inputs.items())
        sizes[axis] = next((a.shape[2 + own] for own, a in given if own is not None), None)
    elif axis is not None:
        del sizes[axis]
    known = [dim for dim in sizes if isinstance(dim, int) and not is_free(dim)]
    if len(known) < len(sizes):
        raise WorkloadError(
            f"{reader.where}: the model leaves the size of state {name!r} open"
            f" ({shape_text(sizes)}); give its initial values, samples first"
        )
    dtype = numpy_dtype(spec)
    if dtype.kind == "O":
        raise WorkloadError(f"{reader.where}: state {name!r} holds strings; give initial values")
    return np.zeros(known, dtype)


def stream_ways(
    inputs: Sequence[TensorSpec],
    stream: StateStream,
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
