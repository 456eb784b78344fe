"""Data outside of the message: files inside the model's folder, and words held in memory."""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator
from dataclasses import dataclass
from io import BufferedReader
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from onnx import ModelProto, TensorProto

from onnxfi.bits import ElementType, Words, elements_a_byte, format_of
from onnxfi.errors import ModelError, UnsupportedModelError
from onnxfi.graph.index import Model
from onnxfi.graph.io import sizes
from onnxfi.graph.io._limits import attribute_tensors
from onnxfi.graph.proto import Data, data_size, is_external, known_element, scopes

_KEYS = {"location", "offset", "length", "checksum", "basepath"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Reference:
    """Where the data of one tensor lies."""

    location: str
    offset: int
    length: int


def external_tensors(proto: ModelProto) -> Iterator[TensorProto]:
    """All tensors of a normalised model whose data lies in other files."""
    for scope in scopes(proto.graph):
        every = [*scope.graph.initializer]
        for sparse in scope.graph.sparse_initializer:
            every += [sparse.values, sparse.indices]
        for node in scope.graph.node:
            every += attribute_tensors(node)
        yield from filter(is_external, every)


def reference_of(tensor: TensorProto) -> Reference:
    """Read a tensor's reference.

    Raises:
        ModelError: It is incomplete, not understood, or its length is not that of the tensor.
        UnsupportedModelError: It has prepacked weights.
    """
    entries = {entry.key: entry.value for entry in tensor.external_data}
    strange = [text for text in (*entries, *entries.values()) if not isinstance(text, str)]
    if strange:
        # protobuf gives strings that are no UTF-8 as bytes.
        raise ModelError(
            f"the model is damaged: external data of tensor {tensor.name!r} is described by"
            f" {strange[0]!r}, which is not UTF-8 text"
        )
    if any(key.startswith("prepacked") for key in entries):
        raise UnsupportedModelError(
            f"tensor {tensor.name!r} was saved with prepacked weights, which onnxruntime reads in"
            f" place of the stored ones; save the model without them"
        )
    unknown = sorted(str(key) for key in entries if key not in _KEYS)
    if unknown:
        raise ModelError(f"external data of tensor {tensor.name!r} has unknown keys {unknown}")
    needed = data_size(tensor)
    offset = _number(tensor, entries, "offset", 0)
    length = _number(tensor, entries, "length", needed)
    if length != needed:
        raise ModelError(
            f"external data of tensor {tensor.name!r} has {length} bytes, its shape"
            f" {list(tensor.dims)} needs {needed}"
        )
    return Reference(location=entries.get("location", ""), offset=offset, length=length)


def read_external(tensor: TensorProto, folder: Path | None) -> Data:
    """The bytes of a tensor whose data lies in another file; changes to them stay in memory.

    Raises:
        ModelError: The file is not allowed, missing, or too short.
    """
    where = reference_of(tensor)
    with open_inside(where.location, folder, tensor.name) as stream:
        check_length(stream, where, tensor.name)
        if where.length >= sizes.MAPPED_BYTES:
            return np.memmap(stream, np.uint8, "c", where.offset, (where.length,))
        stream.seek(where.offset)
        data = stream.read(where.length)
    if len(data) != where.length:
        raise ModelError(f"external data file {where.location!r} became shorter while it was read")
    return data


def check_length(stream: BufferedReader, where: Reference, name: str) -> None:
    """Refuse a reference that leads beyond the end of its file."""
    size = os.fstat(stream.fileno()).st_size
    if where.offset + where.length > size:
        raise ModelError(
            f"external data of tensor {name!r} ends at byte {where.offset + where.length}, the file"
            f" {where.location!r} has {size} bytes"
        )


def open_inside(location: str, folder: Path | None, name: str) -> BufferedReader:
    """Open a file of external data that is safe to read.

    Raises:
        ModelError: There is no folder; the location is absolute or leads out of the folder, by
            ``..`` or by a symbolic link; the file has several hard links, is no regular file, is
            missing or unreadable.
    """
    if folder is None:
        raise ModelError(
            f"tensor {name!r} has its data in another file, {location!r}; load the model by its"
            f" path, so that the folder is known"
        )
    path = _path_inside(location, folder, name)
    try:
        # Not blocking: a named pipe would wait for a writer that never comes.
        descriptor = os.open(path, os.O_RDONLY | getattr(os, "O_NONBLOCK", 0))
    except OSError as error:
        raise ModelError(
            f"can't read external data of tensor {name!r}, {path}: {error.strerror}"
        ) from None
    status = os.fstat(descriptor)
    problem = _problem(status)
    if problem:
        os.close(descriptor)
        raise ModelError(f"external data of tensor {name!r} is refused: {location!r} {problem}")
    return os.fdopen(descriptor, "rb")


def _problem(status: os.stat_result) -> str | None:
    if not stat.S_ISREG(status.st_mode):
        return "is not a regular file"
    if status.st_nlink > 1:
        return "has several hard links, so it may be a file from elsewhere; copy it"
    return None


def _path_inside(location: str, folder: Path, name: str) -> Path:
    parts = location.replace("\\", "/").split("/")
    drive = len(parts[0]) > 1 and parts[0][1] == ":"
    if not location or "\0" in location or parts[0] == "" or drive or ".." in parts:
        raise ModelError(
            f"external data of tensor {name!r} is refused: location {location!r} is not a path"
            f" inside the model's folder"
        )
    path = folder / location
    try:
        real = path.resolve(strict=True)
    except (OSError, RuntimeError):
        raise ModelError(f"external data of tensor {name!r} is missing: {path}") from None
    if not real.is_relative_to(folder.resolve()):
        raise ModelError(
            f"external data of tensor {name!r} is refused: {path} is a symbolic link out of the"
            f" model's folder (as in a Hugging Face cache); copy the model and its data files into"
            f" one folder (cp -L)"
        )
    return path


def _number(tensor: TensorProto, entries: dict[str, str], key: str, default: int) -> int:
    text = entries.get(key)
    if text is None:
        return default
    if not text.isascii() or not text.isdigit() or len(text) > 20:
        raise ModelError(
            f"external data of tensor {tensor.name!r} has {key} {text!r}, not a number of bytes"
        )
    return int(text)


# Absolute, as no location that was loaded can be.
_NOWHERE = "/onnxfi/held/"


def holdable(tensor: TensorProto) -> bool:
    """Whether new data of a tensor is rather held than put into the message."""
    element = known_element(tensor)
    whole = element is not ElementType.BOOL and elements_a_byte(format_of(element).width) == 1
    return whole and is_external(tensor) and data_size(tensor) >= sizes.HELD_BYTES


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
        return read_external(tensor, model.folder)
    words = _words(model, tensor)
    data = words.astype(words.dtype.newbyteorder("<"), copy=False).view(np.uint8)
    data.flags.writeable = False  # it is the model's
    return data


def held_arrays(model: Model) -> dict[str, NDArray[Any]]:
    """The tensors whose data is held, by name, as values."""
    found: dict[str, NDArray[Any]] = {}
    for tensor in filter(is_held, model.proto.graph.initializer) if model.held else ():
        values = _words(model, tensor).view(format_of(known_element(tensor)).value)
        found[tensor.name] = values.reshape(tuple(tensor.dims))
    return found


def _words(model: Model, tensor: TensorProto) -> Words:
    return model.held[_location(tensor)]


def _location(tensor: TensorProto) -> str:
    return next(str(entry.value) for entry in tensor.external_data if entry.key == "location")
