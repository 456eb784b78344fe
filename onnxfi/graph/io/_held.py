"""Held data: new words of external tensors, kept beside the message and not in it.

A message is copied with every edit and holds less than 2 GiB when it is written; tensors of
external data may be larger. Their place in the message is a reference that leads nowhere.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray
from onnx import TensorProto

from onnxfi.bits import ElementType, Words, elements_a_byte, format_of
from onnxfi.graph.index import Model
from onnxfi.graph.io._external import read_external
from onnxfi.graph.proto import Data, data_size, is_external, known_element

# Absolute, as no location that was loaded can be.
_NOWHERE = "/onnxfi/held/"
# Smaller ones are as well in the message.
_HELD_BYTES = 1 << 20


def holdable(tensor: TensorProto) -> bool:
    """Whether new data of a tensor is rather held than put into the message."""
    element = known_element(tensor)
    whole = element is not ElementType.BOOL and elements_a_byte(format_of(element).width) == 1
    return whole and is_external(tensor) and data_size(tensor) >= _HELD_BYTES


def hold(tensor: TensorProto, words: Words, held: dict[str, Words]) -> None:
    """Let words stand for a tensor's data, in place."""
    location = f"{_NOWHERE}{len(held)}"
    del tensor.external_data[:]
    tensor.external_data.add(key="location", value=location)
    held[location] = words


def is_held(tensor: TensorProto) -> bool:
    """Whether a tensor's data is held."""
    return is_external(tensor) and _location(tensor).startswith(_NOWHERE)


def external_data(model: Model, tensor: TensorProto) -> Data:
    """The bytes of a tensor of a model that lie outside of its message.

    Raises:
        ModelError: Its file is not allowed, missing, or too short.
    """
    if not is_held(tensor):
        return read_external(tensor, model._folder)
    words = _words(model, tensor)
    data = words.astype(words.dtype.newbyteorder("<"), copy=False).view(np.uint8)
    data.flags.writeable = False  # it is the model's
    return data


def held_arrays(model: Model) -> dict[str, NDArray[Any]]:
    """The tensors whose data is held, by name, as values."""
    found: dict[str, NDArray[Any]] = {}
    for tensor in filter(is_held, model._proto.graph.initializer) if model._held else ():
        values = _words(model, tensor).view(format_of(known_element(tensor)).value)
        found[tensor.name] = values.reshape(tuple(tensor.dims))
    return found


def _words(model: Model, tensor: TensorProto) -> Words:
    return model._held[_location(tensor)]


def _location(tensor: TensorProto) -> str:
    return next(str(entry.value) for entry in tensor.external_data if entry.key == "location")
