"""Random inputs for smoke runs: ``random:N:SEED[:DIM=SIZE,...]``."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from onnxfi.bits import ElementType
from onnxfi.errors import WorkloadError
from onnxfi.sampling import raw_bits
from onnxfi.workload._check import numpy_dtype
from onnxfi.workload._dims import Dim, Family, families, first_axes, is_free, symbol_of
from onnxfi.workload._reading import EACH, WHOLE, InputRole, Reading, SampleChoice, Ways

if TYPE_CHECKING:
    from onnxfi.graph import TensorSpec
    from onnxfi.workload._stream import StateStream

_FORM = re.compile(r"random:(?P<samples>\d+):(?P<seed>\d+)(?:[:,](?P<dims>.*))?")
# Apart from the streams of samplers, and one sequence an input.
_STREAM = 64
_STEPS = "steps"
_USAGE = "random:SAMPLES:SEED or random:SAMPLES:SEED:DIM=SIZE,DIM=SIZE"


@dataclass(frozen=True, slots=True, kw_only=True)
class RandomRequest:
    """What ``random:…`` asks for: samples, seed, and sizes of the model's free dimensions."""

    samples: int
    seed: int
    sizes: Mapping[str, int]

    def size(self, name: str, place: int, dim: Dim) -> int | None:
        """Size of a dimension of an input; None where nothing tells it."""
        for key in (f"{name}.{place}", dim):
            if isinstance(key, str) and key in self.sizes:
                return self.sizes[key]
        return dim if isinstance(dim, int) and not is_free(dim) else None

    def in_runs(self) -> RandomRequest:
        """What is asked of single runs, where samples are sequences of them."""
        rest = {name: size for name, size in self.sizes.items() if name != _STEPS}
        return replace(self, samples=self.samples * self.sizes.get(_STEPS, 1), sizes=rest)


def parse_random(text: str) -> RandomRequest:
    """Parse ``random:64:1`` or ``random:64:1:height=224,width=224``.

    Raises:
        WorkloadError: The text has another form.
    """
    match = _FORM.fullmatch(text)
    if match is None or int(match["samples"]) < 1:
        raise WorkloadError(f"{text!r} is not a random workload; write {_USAGE}")
    sizes = {}
    for part in filter(None, (match["dims"] or "").split(",")):
        name, _, size = part.rpartition("=")
        if not name or not size.isdigit() or int(size) < 1:
            raise WorkloadError(f"{part!r} in {text!r} is not DIM=SIZE; write {_USAGE}")
        sizes[name] = int(size)
    return RandomRequest(samples=int(match["samples"]), seed=int(match["seed"]), sizes=sizes)


def random_ways(
    request: RandomRequest,
    inputs: Sequence[TensorSpec],
    choice: SampleChoice,
    outputs: Mapping[str, int],
    *,
    stepped: bool = False,
) -> Ways:
    """The readings of random inputs: samples are on the dimensions that no size is given for.

    Where sizes are given for all open dimensions, each sample is what one run gets. A model whose
    dimensions are all fixed is tried with samples on the first axis of its inputs; one whose first
    axes are of size 1 takes one sample a run.

    Args:
        request: What is asked for.
        inputs: The model's inputs.
        choice: What the user says about samples.
        outputs: Batch axes of outputs that the user has said.
        stepped: Whether each sample is a sequence of runs.

    Raises:
        WorkloadError: A dimension has no size, or a size names none.
    """
    _check_sizes(request.in_runs() if stepped else request, inputs)
    every = Reading(inputs={spec.name: EACH for spec in inputs}, outputs=outputs)
    open_ones = [
        family
        for family in families(inputs)
        if any(request.size(name, axis, dim) is None for name, axis, dim in family.places)
    ]
    free = any(is_free(dim) for spec in inputs for dim in spec.shape or ())
    first = first_axes(inputs)
    said = bool(choice.axes or choice.whole)
    single = any(dim == 1 for family in first for _, _, dim in family.places)
    if choice.runs:
        found = every
    elif not said and ((single and not _leading(open_ones)) or (first and not free)):
        found = _batched(inputs, first, choice, outputs)
    elif open_ones or said:
        found = _batched(inputs, _of_samples(open_ones, choice), choice, outputs)
    else:
        found = every
    _refuse_open(request, inputs, found, stepped=stepped)
    return Ways(ways=(found,), fallback=None if free else every)


def _of_samples(open_ones: Sequence[Family], choice: SampleChoice) -> list[Family]:
    """Which of the families of dimensions without a size are the samples'."""
    said = {(name, role.axis) for name, role in choice.axes.items()}
    if said:
        return [f for f in open_ones if any((name, axis) in said for name, axis, _ in f.places)]
    return _leading(open_ones) or list(open_ones[:1])


def _leading(open_ones: Sequence[Family]) -> list[Family]:
    """Those that are the first axis of an input."""
    return [family for family in open_ones if any(axis == 0 for _, axis, _ in family.places)]


def _batched(
    inputs: Sequence[TensorSpec],
    chosen: Sequence[Family],
    choice: SampleChoice,
    outputs: Mapping[str, int],
) -> Reading:
    """The reading with samples on these dimensions; other inputs are the same in every run."""
    axes = {name: axis for family in chosen for name, axis, _ in reversed(family.places)}
    axes |= {name: role.axis for name, role in choice.axes.items() if role.axis is not None}
    roles = {
        spec.name: WHOLE
        if spec.name in choice.whole or spec.name not in axes
        else InputRole(axis=axes[spec.name], at=0)
        for spec in inputs
    }
    return Reading(inputs=roles, outputs=outputs)


def random_arrays(
    request: RandomRequest, inputs: Sequence[TensorSpec], reading: Reading
) -> dict[str, NDArray[Any]]:
    """Random values for every input, the same on every machine.

    Floats are the sum of twelve uniforms less six (mean 0, variance 1, close to normal, and exact
    in every C library); uint8 is uniform in 0..255, other integers in 0..9; bool is a fair coin.

    Raises:
        WorkloadError: An input has no declared shape, or holds strings.
    """
    return {
        spec.name: _values(spec, _shape(spec, request, reading), request.seed, place)
        for place, spec in enumerate(inputs)
    }


def random_sequences(
    request: RandomRequest, inputs: Sequence[TensorSpec], stream: StateStream, reading: Reading
) -> dict[str, NDArray[Any]]:
    """The same for a streaming model: ``steps=T`` says how long sequences are.

    States are not among them: they start at zero.
    """
    fed = [spec for spec in inputs if spec.name in stream.inputs]
    steps = request.sizes[_STEPS]
    return {
        name: a
        if reading.inputs[name].at is None
        else a.reshape(request.samples, steps, *a.shape[1:])
        for name, a in random_arrays(request.in_runs(), fed, reading).items()
    }


def _shape(spec: TensorSpec, request: RandomRequest, reading: Reading) -> tuple[int, ...]:
    """The array's shape, samples first; all sizes are known by now."""
    if spec.shape is None:
        raise WorkloadError(
            f"input {spec.name!r} has no declared shape, so random values can't be made; give an"
            f" .npz file"
        )
    role = reading.inputs[spec.name]
    dims = ((place, dim) for place, dim in enumerate(spec.shape) if place != role.axis)
    found = (request.size(spec.name, place, dim) for place, dim in dims)
    rows = () if role.at is None else (request.samples,)
    return (*rows, *(size for size in found if size is not None))


def _refuse_open(
    request: RandomRequest, inputs: Sequence[TensorSpec], reading: Reading, *, stepped: bool
) -> None:
    """Refuse open dimensions, all of them at once so that one more try is enough."""
    open_ones = [
        (spec, place, dim)
        for spec in inputs
        for place, dim in enumerate(spec.shape or ())
        if place != reading.inputs[spec.name].axis and request.size(spec.name, place, dim) is None
    ]
    steps = [_STEPS] if stepped and _STEPS not in request.sizes else []
    if not (open_ones or steps):
        return
    told = [f"dimension {place} of input {spec.name!r}" for spec, place, _ in open_ones]
    told += ["how many steps a sequence has"] * len(steps)
    names = dict.fromkeys(
        symbol_of(dim) or f"{spec.name}.{place}" for spec, place, dim in open_ones
    )
    sizes = [f"{name}={size}" for name, size in request.sizes.items()]
    sizes += [f"{name}=16" for name in (*names, *steps)]
    lead = next((name for name, role in reading.inputs.items() if role.batched), None)
    axis = None if lead is None else reading.inputs[lead].axis
    taken = f" (samples are taken to be on dimension {axis} of {lead!r})" if lead else ""
    raise WorkloadError(
        f"the model leaves open {', '.join(told)}{taken}; give sizes, e.g."
        f" random:{request.samples}:{request.seed}:{','.join(sizes)}"
    )


def _check_sizes(request: RandomRequest, inputs: Sequence[TensorSpec]) -> None:
    known = {dim for spec in inputs for dim in spec.shape or () if isinstance(dim, str)}
    known |= {f"{spec.name}.{place}" for spec in inputs for place in range(len(spec.shape or ()))}
    for name in request.sizes:
        if name not in known:
            has = ", ".join(sorted(known))
            raise WorkloadError(f"{name!r} is no dimension of the model's inputs; it has: {has}")


def _values(spec: TensorSpec, shape: tuple[int, ...], seed: int, place: int) -> NDArray[Any]:
    dtype = numpy_dtype(spec)
    count = int(np.prod(shape, dtype=np.int64))
    if dtype.kind == "O":
        raise WorkloadError(f"input {spec.name!r} holds strings; give an .npz file")
    words = raw_bits(seed, _STREAM, 0, 3 * count, k=place)
    values: NDArray[Any]
    if spec.element is ElementType.BOOL:
        values = words[:count] >> np.uint64(63)
    elif dtype.kind in "iu":
        values = words[:count] % np.uint64(256 if spec.element is ElementType.UINT8 else 10)
    else:
        quarters = words.astype("<u8").view("<u2").reshape(count, 12)
        values = (quarters.sum(axis=1, dtype=np.float64) + 6.0) / 65536.0 - 6.0
    return np.asarray(values.astype(dtype).reshape(shape))
