"""The readings that given arrays allow: which axis of each may hold the samples."""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from onnxfi.errors import WorkloadError
from onnxfi.workload._dims import Dim, first_axes, fits, is_free, shape_text, symbol_of, without
from onnxfi.workload._reading import EACH, MOST_WAYS, WHOLE, InputRole, Reading, SampleChoice, Ways

if TYPE_CHECKING:
    from onnxfi.graph import TensorSpec

Shapes = Mapping[str, tuple[int, ...]]

_COMBINATIONS = 4096  # of roles; far more than models with inputs of a dozen kinds have


@dataclass(frozen=True, slots=True, kw_only=True)
class Given:
    """What arrays are read against.

    Attributes:
        inputs: The model's inputs.
        shapes: Shapes of the arrays, by input.
        labels: How many labels there are, None for no labels.
        choice: What the user says.
        outputs: Batch axes of outputs that the user has said.
        where: How messages name the arrays.
    """

    inputs: Sequence[TensorSpec]
    shapes: Shapes
    labels: int | None
    choice: SampleChoice
    outputs: Mapping[str, int]
    where: str

    def reading(self, roles: Mapping[str, InputRole]) -> Reading:
        """A reading of these roles."""
        return Reading(inputs=dict(roles), outputs=self.outputs)


def array_ways(given: Given) -> Ways:
    """The readings of arrays that hold all samples.

    Samples are on the array's first axis, or on the model's own batch axis where the array is
    laid out as the model takes it. An array with an axis more than its input holds what single
    runs get; one that fits as it is may be the same in every run. Inputs that share a named
    dimension are read alike. Readings in which more inputs have samples come first.

    Raises:
        WorkloadError: There is none: a shape does not fit, or numbers of samples differ.
    """
    roles = {spec.name: _roles(spec, given) for spec in given.inputs}
    closed = all(_closed(spec, given.shapes[spec.name]) for spec in given.inputs)
    if closed and not given.choice.explicit and all(WHOLE in o for o in roles.values()):
        found = _fixed(given)
    else:
        found = [way for _, way in sorted(_combined(given, roles), key=lambda each: each[0])]
    whole = None
    if given.labels in (None, 1) and all(WHOLE in options for options in roles.values()):
        whole = given.reading(dict.fromkeys(roles, WHOLE))
    certain = closed or given.labels == 1 or all(o == [WHOLE] for o in roles.values())
    fallback = whole if certain else None
    if not found and fallback is None:
        _refuse(given, roles)
    return Ways(
        ways=tuple(found[:MOST_WAYS]), fallback=fallback, whole=whole, doubt=_disagreement(given)
    )


def _closed(spec: TensorSpec, shape: tuple[int, ...]) -> bool:
    """Whether all dimensions are fixed; one that is declared as 0, and is, too."""
    return spec.shape is not None and not any(
        is_free(dim) and shape[axis : axis + 1] != (dim,) for axis, dim in enumerate(spec.shape)
    )


def _fixed(given: Given) -> list[Reading]:
    """Where arrays are one run's inputs and nothing is open: the rows of a batch, perhaps."""
    rows = {name for family in first_axes(given.inputs) for name, _, _ in family.places}
    lead = InputRole(axis=0, at=0)
    roles = {spec.name: lead if spec.name in rows else WHOLE for spec in given.inputs}
    counts = {given.shapes[name][0] for name in rows}
    return [given.reading(roles)] if rows and given.labels in (None, *counts) else []


def _roles(spec: TensorSpec, given: Given) -> list[InputRole]:
    """What one array may be, whatever the others are."""
    choice, shape, declared = given.choice, given.shapes[spec.name], spec.shape
    if spec.name in choice.whole:
        return [WHOLE] if declared is None or fits(shape, declared) else []
    said = choice.axes.get(spec.name)
    if declared is None:
        first = [EACH] if choice.runs else [said or InputRole(axis=0, at=0)]
        return [*first, WHOLE] if shape and said is None else first
    if len(shape) == len(declared) + 1:
        return [EACH] if fits(shape[1:], declared) and said is None else []
    whole = [WHOLE] if fits(shape, declared) else []
    if choice.runs or len(shape) != len(declared):
        return whole
    placed = [
        InputRole(axis=axis, at=at)
        for axis in range(len(declared))
        for at in dict.fromkeys((axis, 0))
        if fits(_rest(shape, at), without(declared, axis))
    ]
    if said is not None:
        return _as_said(said, placed, given, shape)
    return [role for role in placed if _plausible(role, declared, fitting=bool(whole))] + whole


def _rest(shape: tuple[int, ...], at: int) -> tuple[int, ...]:
    return (*shape[:at], *shape[at + 1 :])


def _as_said(
    said: InputRole, placed: Sequence[InputRole], given: Given, shape: tuple[int, ...]
) -> list[InputRole]:
    """The role with the model's axis that was said: laid out like the model if that fits."""
    wanted = [role for role in placed if role.axis == said.axis]
    if said.at != said.axis:
        return [role for role in wanted if role.at == said.at]
    counted = [r for r in wanted if r.at is None or given.labels in (None, shape[r.at])]
    return (counted or wanted)[:1]


def _plausible(role: InputRole, declared: Sequence[Dim], *, fitting: bool) -> bool:
    """Whether a dimension may be that of the samples; a fixed one only where it has to be."""
    assert role.axis is not None
    dim = declared[role.axis]
    if is_free(dim):
        return True
    if role.axis == 0:
        return dim == 1 or not fitting
    return not fitting and not any(is_free(each) for each in declared)


def _combined(
    given: Given, roles: Mapping[str, Sequence[InputRole]]
) -> Iterator[tuple[tuple[object, ...], Reading]]:
    """Readings with the keys that put them in order."""
    # Inputs that look alike are read alike: an LLM has dozens of them.
    groups: dict[tuple[object, ...], list[str]] = {}
    for spec in given.inputs:
        kind = (spec.shape, given.shapes[spec.name], tuple(map(str, roles[spec.name])))
        groups.setdefault(kind, []).append(spec.name)
    first = {names[0]: names for names in groups.values()}
    shapes = given.shapes
    counts = [shapes[name][r.at] for name in first for r in roles[name] if r.at is not None]
    for place, samples in enumerate(dict.fromkeys(counts)):
        if samples == 0 or given.labels not in (None, samples):
            continue
        allowed = [
            [r for r in roles[name] if r.at is None or shapes[name][r.at] == samples]
            for name in first
        ]
        for combination in itertools.islice(itertools.product(*allowed), _COMBINATIONS):
            found = dict(zip(first, combination, strict=True))
            every = {name: role for lead, role in found.items() for name in first[lead]}
            if _consistent(given, every):
                yield (*_order(given, every), place), given.reading(every)


def _consistent(given: Given, roles: Mapping[str, InputRole]) -> bool:
    """Whether roles go together: something has samples, laid out in one way, in one batch."""
    moved = {role.at == role.axis for role in roles.values() if role.axis}
    batches = {
        dim
        for spec in given.inputs
        if (axis := roles[spec.name].axis) is not None and spec.shape is not None
        if not is_free(dim := spec.shape[axis])
    }
    some = any(role.at is not None for role in roles.values())
    return some and len(moved) < 2 and len(batches) < 2 and _by_name(given, roles)


def _order(given: Given, roles: Mapping[str, InputRole]) -> tuple[object, ...]:
    """Readings that go with the names of dimensions first, then those on first axes."""
    placed = [role for role in roles.values() if role.axis is not None]
    names = _batch_names(given, roles)
    twice = sum(symbol in names and roles[n].axis != axis for n, axis, symbol in _named(given))
    return (
        twice,
        any(role.axis != 0 for role in placed),
        sum(role.at is None for role in roles.values()),
        sum(role.axis or 0 for role in placed),
        any(role.at != role.axis for role in placed),
    )


def _named(given: Given) -> Iterator[tuple[str, int, str]]:
    """Dimensions with a name; one that an input has twice, in two sizes, is no name."""
    for spec in given.inputs:
        names = [symbol_of(dim) for dim in spec.shape or ()]
        shape = given.shapes[spec.name]
        for axis, symbol in enumerate(names):
            sizes = {size for size, name in zip(shape, names, strict=False) if name == symbol}
            if symbol is not None and (names.count(symbol) == 1 or len(sizes) == 1):
                yield spec.name, axis, symbol


def _batch_names(given: Given, roles: Mapping[str, InputRole]) -> set[str]:
    return {symbol for name, axis, symbol in _named(given) if roles[name].axis == axis}


def _by_name(given: Given, roles: Mapping[str, InputRole]) -> bool:
    """Whether inputs that share the name of the samples' dimension all have samples on it."""
    names = _batch_names(given, roles)
    places: dict[str, set[int]] = {}
    for name, axis, symbol in _named(given):
        if symbol in names:
            places.setdefault(name, set()).add(axis)
    return all(
        roles[name].axis in axes or roles[name] == EACH or _said(given, name)
        for name, axes in places.items()
    )


def _said(given: Given, name: str) -> bool:
    return name in given.choice.axes or name in given.choice.whole


def _disagreement(given: Given) -> str | None:
    """Inputs whose first axes have one name and different sizes, in words."""
    sizes: dict[str, dict[str, int]] = {}
    for name, axis, symbol in _named(given):
        if axis == 0 and given.shapes[name]:
            sizes.setdefault(symbol, {})[name] = given.shapes[name][0]
    for counts in sizes.values():
        if len(set(counts.values())) > 1:
            return _disagree(given.where, counts)
    return None


def _disagree(where: str, counts: Mapping[str, int]) -> str:
    listed = ", ".join(f"{name!r} has {count}" for name, count in counts.items())
    return f"{where}: inputs disagree on the number of samples: {listed}"


def _refuse(given: Given, roles: Mapping[str, Sequence[InputRole]]) -> None:
    """Say why there is no reading."""
    where, shapes = given.where, given.shapes
    for spec in given.inputs:
        if not roles[spec.name]:
            raise WorkloadError(_misfit(spec, given))
    counts = {
        name: shapes[name][options[0].at]
        for name, options in roles.items()
        if options[0].at is not None and options[0].at < len(shapes[name])
    }
    if given.choice.runs and not counts:
        raise WorkloadError(
            f"{where}: with --samples-are-runs an array has one axis more than its input, the"
            " first, each entry of it what one run gets; none has"
        )
    if 0 in counts.values():
        raise WorkloadError(f"{where}: there are no samples (axis 0 is empty)")
    if len(set(counts.values())) > 1:
        raise WorkloadError(_disagree(where, counts))
    samples = next(iter(counts.values()), 1)
    if given.labels is not None and given.labels != samples:
        raise WorkloadError(
            f"{where}: {given.labels} labels for {samples} samples; give one label a sample"
        )
    raise WorkloadError(f"{where}: no reading of the arrays goes with what is said about samples")


def _misfit(spec: TensorSpec, given: Given) -> str:
    declared, shape = spec.shape or (), given.shapes[spec.name]
    said = given.choice.axes.get(spec.name)
    axis = 0 if said is None or said.axis is None else said.axis
    expected: Sequence[Dim] = declared
    if spec.name not in given.choice.whole and declared:
        expected = ("samples", *without(declared, axis))
    hint = f"; samples first (the model has them on axis {axis})" if axis else ""
    return (
        f"{given.where}: input {spec.name!r} has shape {shape_text(shape)}, expected"
        f" {shape_text(expected)}{hint}"
    )
