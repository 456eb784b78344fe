"""onnxruntime itself: its version, what it raises, what it says of values, how it takes them.

Its type annotations leave out most of what it exports, so that its objects are ``Any`` here.
"""

from __future__ import annotations

import ctypes
import math
import re
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import Any, TypeAlias

import numpy as np
import onnxruntime
from numpy.typing import NDArray

from onnxfi.bits import ElementType, format_of, from_words, pack, packed_bytes, to_words, unpack
from onnxfi.errors import BackendError, ConfigError
from onnxfi.graph import Kind, TensorSpec, element_to_onnx

ort: Any = onnxruntime
RunOptions: TypeAlias = Any
SessionOptions: TypeAlias = Any
InferenceSession: TypeAlias = Any
NodeArg: TypeAlias = Any
OrtValue: TypeAlias = Any
IOBinding: TypeAlias = Any


def runtime_version() -> str:
    """Version of the onnxruntime that runs models, such as ``1.31.1``."""
    return str(ort.__version__)


# In the middle of what onnxruntime says: source files, C++ types, the name of the host.
_DEVICE_FAILURE = re.compile(r"CUDA failure \d+: [^;]*[^; ]")


def from_onnxruntime(error: Exception) -> bool:
    """Whether an exception is the runtime's, and not a mistake in how it was called."""
    module = type(error).__module__
    return module.startswith("onnxruntime") or type(error) in (RuntimeError, MemoryError)


def one_line(error: Exception) -> str:
    """Its message without line breaks, at most 400 characters.

    Of longer ones the middle is left out: onnxruntime begins with the kind of failure, goes on with
    where in its sources that was, and says last what it was.
    """
    text = " ".join(str(error).split())
    return text if len(text) <= 400 else f"{text[:97]} ... {text[-298:]}"


def device_failure(error: Exception) -> str | None:
    """What CUDA itself reported through onnxruntime, in a few words; None if it wasn't CUDA."""
    found = _DEVICE_FAILURE.search(" ".join(str(error).split()))
    return None if found is None else found[0]


@contextmanager
def copying(what: str) -> Iterator[None]:
    """Copy between host and device inside the ``with`` block.

    Args:
        what: What can't be done if it fails.

    Raises:
        BackendError: onnxruntime raised: the device has no room, or failed.
    """
    try:
        yield
    except Exception as error:
        if not from_onnxruntime(error):
            raise
        reason = device_failure(error) or one_line(error)
        raise BackendError(f"{what}: {reason}; check the device with nvidia-smi") from error


_ELEMENTS: Mapping[str, ElementType] = MappingProxyType(
    {
        **{element.value: element for element in ElementType},
        "float": ElementType.FLOAT,
        "double": ElementType.DOUBLE,
    }
)
_WRAPPED: Mapping[str, Kind] = MappingProxyType(
    {"seq": "sequence", "optional": "optional", "map": "map", "sparse_tensor": "sparse"}
)


def bare_type(text: str) -> str:
    """The element type in ``tensor(bfloat16)``; other types as they are."""
    return text.removeprefix("tensor(").removesuffix(")")


def described_as(given: NodeArg) -> TensorSpec:
    """The spec of an input or output of a session."""
    element = _ELEMENTS.get(bare_type(given.type))
    outside, _, inside = given.type.partition("(")
    if outside in _WRAPPED:
        kind = _WRAPPED[outside]
        element = _ELEMENTS.get(bare_type(inside.removesuffix(")")))
        return TensorSpec(name=given.name, element=element, kind=kind)
    # It describes a scalar and a tensor of unknown rank alike, without dimensions.
    return TensorSpec(name=given.name, element=element, shape=tuple(given.shape) or None)


def register_libraries(options: SessionOptions, paths: Sequence[str]) -> None:
    """Give a session the operators of shared libraries.

    Args:
        options: Of the session.
        paths: The libraries, in order; one that is named twice is registered once.

    Raises:
        ConfigError: A file is missing, or no library of operators that can be loaded here.
    """
    # A bare name would be looked for where the system keeps its libraries.
    for path in dict.fromkeys(Path(path).absolute() for path in paths):
        if not path.is_file():
            raise ConfigError(f"operator library {path} does not exist, or is not a file")
        try:
            options.register_custom_ops_library(str(path))
        except Exception as error:
            if not from_onnxruntime(error):
                raise
            raise ConfigError(
                f"{path} can't be loaded as an operator library: {one_line(error)}; give a shared"
                f" library for this machine that exports RegisterCustomOps"
            ) from error


_WHOLE = (
    ElementType.BFLOAT16,
    ElementType.FLOAT8E4M3FN,
    ElementType.FLOAT8E4M3FNUZ,
    ElementType.FLOAT8E5M2,
    ElementType.FLOAT8E5M2FNUZ,
    ElementType.FLOAT8E8M0,
)
_PACKED = (
    ElementType.INT2,
    ElementType.INT4,
    ElementType.UINT2,
    ElementType.UINT4,
    ElementType.FLOAT4E2M1,
)
_BY_NUMBER: Mapping[int, ElementType] = MappingProxyType(
    {element_to_onnx(element): element for element in (*_WHOLE, *_PACKED)}
)

#: Names of these types as onnxruntime has them in descriptions of inputs and outputs.
FOREIGN = frozenset(element.value for element in (*_WHOLE, *_PACKED))


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class PackedTensor:
    """A tensor of elements below one byte, several of them in each byte.

    onnxruntime makes no value of it from an array, but reads it where it lies.

    Attributes:
        data: The bytes, as ONNX packs them.
        number: ONNX's number of the element type.
        shape: Its shape, in elements.
    """

    data: NDArray[np.uint8]
    number: int
    shape: tuple[int, ...]

    def bind_input(self, binding: IOBinding, name: str) -> None:
        """Let a run read it; the bytes must live as long as the run."""
        binding.bind_input(name, "cpu", 0, self.number, list(self.shape), self.data.ctypes.data)


def feed_of(values: NDArray[Any]) -> NDArray[Any] | OrtValue | PackedTensor:
    """What onnxruntime takes for an array: the array, or its bits under ONNX's type number.

    Raises:
        BackendError: onnxruntime takes no such array.
    """
    if values.dtype.isbuiltin == 1 or values.dtype.kind in "OU":
        return values
    for number, element in _BY_NUMBER.items():
        form = format_of(element)
        if form.value != values.dtype:
            continue
        if element in _PACKED:
            data = np.frombuffer(pack(to_words(values, element), element), np.uint8)
            return PackedTensor(data=data, number=number, shape=values.shape)
        bits = np.asarray(values, order="C").view(form.word)  # a scalar stays one
        return ort.OrtValue.ortvalue_from_numpy_with_onnx_type(bits, number)
    raise BackendError(f"onnxruntime takes no input of dtype {values.dtype}")


def array_of(value: OrtValue) -> object:
    """An output as an array; types without a numpy dtype are read from memory.

    Raises:
        BackendError: Such an output is not in the host's memory.
    """
    if not value.is_tensor():
        return value.numpy()
    element = _BY_NUMBER.get(value.element_type())
    if element is None:
        return value.numpy()
    if value.device_name() != "cpu":
        raise BackendError(f"an output of type {element.name} stays on {value.device_name()}")
    shape = tuple(value.shape())
    count = math.prod(shape)
    size = packed_bytes(element, count)
    data = ctypes.string_at(value.data_ptr(), size) if size else b""
    return from_words(unpack(data, element, count), element, shape)
