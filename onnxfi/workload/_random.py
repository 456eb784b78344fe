"""Random inputs for smoke runs: ``random:N:SEED[:DIM=SIZE,...]``."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from onnxfi.bits import ElementType
from onnxfi.errors import WorkloadError
from onnxfi.graph import TensorSpec
from onnxfi.sampling import raw_bits
from onnxfi.workload._axes import Dim, batch_axes, is_free
from onnxfi.workload._check import numpy_dtype
from onnxfi.workload._stream import Stream

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


def random_arrays(request: RandomRequest, inputs: Sequence[TensorSpec]) -> dict[str, NDArray[Any]]:
    """Random values for every input, the same on every machine.

    Floats are the sum of twelve uniforms less six (mean 0, variance 1, close to normal, and exact
    in every C library); uint8 is uniform in 0..255, other integers in 0..9; bool is a fair coin.

    Raises:
        WorkloadError: A free dimension has no size, a size names none, or an input holds strings.
    """
    axes = batch_axes(inputs).axes
    shapes = {}
    _check_sizes(request, inputs)
    _refuse_open(request, inputs, axes)
    for spec in inputs:
        rest = _rest(spec, axes.get(spec.name), request)
        # Without any batch axis each sample is a whole set of inputs, stacked on a new axis.
        rows = (request.samples,) if spec.name in axes or not axes else ()
        shapes[spec.name] = (*rows, *rest)
    return {
        spec.name: _values(spec, shapes[spec.name], request.seed, place)
        for place, spec in enumerate(inputs)
    }


def random_sequences(
    request: RandomRequest, inputs: Sequence[TensorSpec], stream: Stream
) -> dict[str, NDArray[Any]]:
    """The same for a streaming model: ``steps=T`` says how long sequences are.

    States are not among them: they start at zero.

    Raises:
        WorkloadError: As :func:`random_arrays`, or the number of steps is not given.
    """
    fed = [spec for spec in inputs if spec.name in stream.inputs]
    axes = batch_axes(fed).axes
    _refuse_open(request, fed, axes, stepped=True)
    steps = request.sizes[_STEPS]
    rest = {name: size for name, size in request.sizes.items() if name != _STEPS}
    runs = replace(request, samples=request.samples * steps, sizes=rest)
    return {
        name: a.reshape(request.samples, steps, *a.shape[1:]) if name in axes or not axes else a
        for name, a in random_arrays(runs, fed).items()
    }


def _rest(spec: TensorSpec, axis: int | None, request: RandomRequest) -> tuple[int, ...]:
    """Sizes of all dimensions but the batch axis, which are known by now."""
    if spec.shape is None:
        raise WorkloadError(
            f"input {spec.name!r} has no declared shape, so random values can't be made; give an"
            f" .npz file"
        )
    dims = enumerate(spec.shape)
    sizes = (_size(spec, place, dim, request) for place, dim in dims if place != axis)
    return tuple(size for size in sizes if size is not None)


def _size(spec: TensorSpec, place: int, dim: Dim, request: RandomRequest) -> int | None:
    for name in (f"{spec.name}.{place}", dim):
        if isinstance(name, str) and name in request.sizes:
            return request.sizes[name]
    return dim if isinstance(dim, int) and not is_free(dim) else None


def _refuse_open(
    request: RandomRequest,
    inputs: Sequence[TensorSpec],
    axes: Mapping[str, int],
    *,
    stepped: bool = False,
) -> None:
    """Refuse open dimensions, all of them at once so that one more try is enough."""
    open_ones = [
        (spec, place, dim)
        for spec in inputs
        for place, dim in enumerate(spec.shape or ())
        if place != axes.get(spec.name) and _size(spec, place, dim, request) is None
    ]
    steps = [_STEPS] if stepped and _STEPS not in request.sizes else []
    if not (open_ones or steps):
        return
    told = [f"dimension {place} of input {spec.name!r}" for spec, place, _ in open_ones]
    told += ["how many steps a sequence has"] * len(steps)
    names = dict.fromkeys(
        # Exporters also write "?" for dimensions that have nothing to do with each other.
        dim if isinstance(dim, str) and re.fullmatch(r"[\w.]+", dim) else f"{spec.name}.{place}"
        for spec, place, dim in open_ones
    )
    sizes = [f"{name}={size}" for name, size in request.sizes.items()]
    sizes += [f"{name}=16" for name in (*names, *steps)]
    raise WorkloadError(
        f"the model leaves open {', '.join(told)}; give sizes, e.g."
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
