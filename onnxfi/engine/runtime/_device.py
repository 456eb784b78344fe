"""Tensors kept in the memory of a provider's device, and bound to inputs by their address."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from onnxfi.bits import ElementType, has_format, pack, to_words
from onnxfi.engine.runtime._onnxruntime import IOBinding, OrtValue, copying, ort
from onnxfi.engine.runtime._providers import CUDA, find_provider
from onnxfi.engine.runtime._settings import EngineSettings
from onnxfi.graph import Model, TensorSpec, element_of_dtype, element_to_onnx

# Providers whose memory onnxruntime lets a caller fill, by the name that it has for it.
_KINDS: Mapping[str, str] = MappingProxyType({CUDA: "cuda"})
_UINT8 = element_to_onnx(ElementType.UINT8)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class DeviceTensor:
    """A tensor in device memory.

    Its bytes are a tensor of uint8; the type is given where it is bound. So every element type is
    alike, those that numpy doesn't know included.

    Attributes:
        value: The bytes.
        number: ONNX's number of the element type.
        shape: Its shape.
        memory: Where it is.
    """

    value: OrtValue
    number: int
    shape: tuple[int, ...]
    memory: DeviceMemory

    @property
    def nbytes(self) -> int:
        """Bytes held on the device."""
        return int(self.value.tensor_size_in_bytes())

    def read(self) -> NDArray[np.uint8]:
        """Its bytes, copied to the host.

        Raises:
            BackendError: The device failed.
        """
        with copying("a tensor can't be read from the device"):
            return np.array(self.value.numpy())

    def write(self, data: NDArray[np.uint8]) -> None:
        """Replace all its bytes.

        Raises:
            BackendError: The device failed.
        """
        with copying("a tensor can't be written to the device"):
            self.value.update_inplace(data)

    def as_bytes(self) -> DeviceTensor:
        """The same memory as a tensor of uint8 (n,)."""
        return DeviceTensor(
            value=self.value, number=_UINT8, shape=(self.nbytes,), memory=self.memory
        )

    def bind_input(self, binding: IOBinding, name: str) -> None:
        """Let a run read it."""
        binding.bind_input(name, *self._description())

    def bind_output(self, binding: IOBinding, name: str) -> None:
        """Let a run write to it."""
        binding.bind_output(name, *self._description())

    def _description(self) -> tuple[str, int, int, list[int], int]:
        memory = self.memory
        return memory.kind, memory.index, self.number, list(self.shape), self.value.data_ptr()


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Stepped:
    """An input that is another array in some steps of a sequence than in the others.

    Attributes:
        usual: In most steps.
        special: In the others, by step.
    """

    usual: NDArray[Any]
    special: Mapping[int, NDArray[Any]]

    @property
    def nbytes(self) -> int:
        """Bytes held."""
        return self.usual.nbytes + sum(values.nbytes for values in self.special.values())

    def at(self, step: int) -> NDArray[Any]:
        """The array in a step."""
        return self.special.get(step, self.usual)


Feed: TypeAlias = NDArray[Any] | DeviceTensor
"""An input: an array of the host, or a tensor that is on the device already."""

StepFeed: TypeAlias = Feed | Stepped
"""An input of a run that may be one over a sequence."""


def plain(feeds: Mapping[str, StepFeed]) -> dict[str, Feed]:
    """The inputs of a single run, which has no steps: as they are."""
    assert not any(isinstance(values, Stepped) for values in feeds.values())
    return {name: values for name, values in feeds.items() if not isinstance(values, Stepped)}


@dataclass(frozen=True, slots=True, kw_only=True)
class DeviceMemory:
    """The memory of one device.

    Attributes:
        kind: onnxruntime's name for it, ``cuda``. ``cpu`` is for checks of what is done with it.
        index: Which device of that kind.
    """

    kind: str
    index: int = 0

    def put(self, values: NDArray[Any]) -> Feed:
        """Copy an array to the device.

        Returns:
            The tensor; the array itself if it has no elements.

        Raises:
            BackendError: The device has no room, or fails.
        """
        element = element_of_dtype(values.dtype)
        if not values.size:
            return values
        # A copy, always: on a CPU onnxruntime would share the caller's memory.
        data = np.frombuffer(pack(to_words(values, element), element), np.uint8).copy()
        with copying(f"{data.nbytes} bytes can't be kept on the device (smaller: --batch-size)"):
            value = ort.OrtValue.ortvalue_from_numpy(data, self.kind, self.index)
        return DeviceTensor(
            value=value, number=element_to_onnx(element), shape=values.shape, memory=self
        )


MemoryOf: TypeAlias = Callable[[Model, EngineSettings], DeviceMemory | None]
"""Says in which device's memory tensors are kept; None for the host's."""


def device_memory(model: Model, settings: EngineSettings) -> DeviceMemory | None:
    """Where a provider keeps tensors; None on the CPU, which reads the host's own.

    None, too, for providers whose memory onnxruntime gives no access to, and for models that take
    or give anything but tensors of numbers, which can't be bound.

    Raises:
        BackendError: This onnxruntime was not built with the provider.
    """
    provider = find_provider(settings)
    kind = _KINDS.get(provider.name)
    if kind is None or not all(map(_bindable, (*model.inputs, *model.outputs))):
        return None
    return DeviceMemory(kind=kind, index=int(provider.options.get("device_id", "0")))


def _bindable(spec: TensorSpec) -> bool:
    return spec.kind == "tensor" and spec.element is not None and has_format(spec.element)
