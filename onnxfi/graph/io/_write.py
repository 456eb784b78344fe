"""Writing: the model as bytes for the runtime, or as ordinary files."""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
from google.protobuf.message import EncodeError  # type: ignore[import-untyped]
from numpy.typing import NDArray
from onnx import ModelProto, TensorProto

from onnxfi.errors import ModelError, RewriteError, UnsupportedModelError
from onnxfi.files import atomic_file
from onnxfi.graph.index import Model
from onnxfi.graph.io import sizes
from onnxfi.graph.io._external import external_data, external_tensors, held_arrays, is_held
from onnxfi.graph.proto import data_size, strip_data

# Runtimes map files of external data; what begins on a page needs no copy.
_PAGE = 4096


@dataclass(frozen=True, slots=True, kw_only=True)
class Serialized:
    """A model in bytes.

    Attributes:
        data: The serialised ModelProto.
        folder: Where its external data lies, absolute; None if it has none.
        outside: Bytes of external data.
        held: Values of initializers that the runtime has to be given beside the bytes, by name.
    """

    data: bytes
    folder: Path | None
    outside: int = 0
    held: Mapping[str, NDArray[Any]] = field(default_factory=dict)


def serialize(model: Model) -> Serialized:
    """The model in bytes; references to external data stay.

    Raises:
        UnsupportedModelError: It has 2 GiB or more, which protobuf can't hold.
    """
    external = _external(model)
    folder = model.folder if external else None
    outside = sum(data_size(tensor) for tensor in external)
    held = held_arrays(model)
    return Serialized(data=_bytes(model.proto), folder=folder, outside=outside, held=held)


def _external(model: Model) -> list[TensorProto]:
    if not model.data_files:
        return []
    return list(external_tensors(model.proto))


def _bytes(proto: ModelProto) -> bytes:
    try:
        data: bytes = proto.SerializeToString()
    except EncodeError:
        raise UnsupportedModelError(
            "the model has more bytes than protobuf holds, which is less than 2 GiB"
        ) from None
    if len(data) > sizes.PROTOBUF_BYTES:
        raise UnsupportedModelError(
            f"the model has {len(data)} bytes, protobuf holds less than 2 GiB"
        )
    return data


def save(model: Model, path: str | os.PathLike[str], *, beside: bool = False) -> bool:
    """Write the model, whole or not at all.

    External data is brought in, or, where one file can't hold it, goes to a :func:`data_file`.

    Args:
        model: The model.
        path: Where to. An existing file is replaced, unless the model was loaded with external
            data in it.
        beside: In the folder of the model that it was loaded from, share its external data as far
            as that was not replaced.

    Returns:
        Whether the file shares external data.

    Raises:
        ModelError: External data can't be read, or a file can't be written.
        RewriteError: A file holds external data of the model.
    """
    target = Path(path).absolute()
    second = data_file(model, target, beside=beside)
    for each in (target, second):
        if each and any(_same(model.folder, location, each) for location in model.data_files):
            raise RewriteError(f"{each} holds the model's external data; write to another file")
    edited = replace(model, proto=model.editable()) if model.data_files else model
    moving = _moving(edited, target, beside)
    shares = len(moving) < len(_external(model))
    try:
        with ExitStack() as files:
            if second is None:
                _bring_in(edited, moving)
            else:
                _write_data(edited, moving, files.enter_context(atomic_file(second)), second.name)
            files.enter_context(atomic_file(target)).write(_bytes(edited.proto))
    except OSError as error:
        raise ModelError(f"can't write model file {target}: {error.strerror}") from None
    return shares


def data_file(model: Model, path: str | os.PathLike[str], *, beside: bool = False) -> Path | None:
    """The second file that :func:`save` writes, with data of tensors; None if it needs none."""
    target = Path(path).absolute()
    moving = _moving(model, target, beside)
    if not moving or _whole_size(model, moving) <= sizes.PROTOBUF_BYTES:
        return None
    return target.with_name(f"{target.name}.data")


def _moving(model: Model, target: Path, beside: bool) -> list[TensorProto]:
    """External tensors whose data does not stay in the file where it is."""
    external = _external(model)
    if beside and _in_folder(model, target):
        return [tensor for tensor in external if is_held(tensor)]
    return external


def _write_data(
    model: Model, tensors: Iterable[TensorProto], file: BinaryIO, location: str
) -> None:
    """Write the data of tensors one behind the other, and let them refer to it, in place."""
    for tensor in tensors:
        data = np.frombuffer(external_data(model, tensor), np.uint8)
        file.seek(-file.tell() % _PAGE, os.SEEK_CUR)
        where = {"location": location, "offset": file.tell(), "length": len(data)}
        for start in range(0, len(data), sizes.CHUNK_BYTES):
            file.write(data[start : start + sizes.CHUNK_BYTES].data)
        del tensor.external_data[:]
        for key, value in where.items():
            tensor.external_data.add(key=key, value=str(value))


def inlined(model: Model) -> Model:
    """The model with its external data brought in, to be one file.

    Raises:
        UnsupportedModelError: With its external data it has 2 GiB or more.
        ModelError: External data can't be read.
    """
    if not _external(model):
        return model
    whole = replace(model, proto=model.editable())
    _bring_in(whole, _external(whole))
    return replace(whole, folder=None, data_files=(), held={})


def embedded(model: Model) -> Model:
    """The model with the new data of its tensors in it; what was not replaced stays outside.

    Raises:
        UnsupportedModelError: With that data it has 2 GiB or more.
    """
    if not model.held:
        return model
    whole = replace(model, proto=model.editable())
    _bring_in(whole, list(filter(is_held, _external(whole))))
    return replace(whole, held={})


def _bring_in(model: Model, tensors: Sequence[TensorProto]) -> None:
    """Put the data of external tensors of a model into its message, in place."""
    total = _whole_size(model, tensors)
    if total > sizes.PROTOBUF_BYTES:
        raise UnsupportedModelError(
            f"the model has {total} bytes with its external data; one file holds less than 2 GiB"
        )
    for tensor in tensors:
        data = bytes(external_data(model, tensor))
        strip_data(tensor)
        tensor.raw_data = data


def _whole_size(model: Model, tensors: Iterable[TensorProto]) -> int:
    """Bytes of the message with the data of external tensors in it."""
    return int(model.proto.ByteSize()) + sum(data_size(tensor) for tensor in tensors)


def _in_folder(model: Model, target: Path) -> bool:
    folder = model.folder
    return folder is not None and target.parent.exists() and target.parent.samefile(folder)


def _same(folder: Path | None, location: str, target: Path) -> bool:
    if folder is None or not target.exists():
        return False
    path = folder / location
    return path.exists() and path.samefile(target)
