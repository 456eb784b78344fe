"""Writing: the model as bytes for the runtime, or as an ordinary file."""

from __future__ import annotations

import os
from dataclasses import dataclass, replace
from pathlib import Path

from onnx import ModelProto, TensorProto

from onnxfi.errors import ModelError, RewriteError, UnsupportedModelError
from onnxfi.files import atomic_file
from onnxfi.graph._external import external_tensors, read_external
from onnxfi.graph._model import Model
from onnxfi.graph._tensors import data_size, strip_data

_PROTOBUF_BYTES = 2**31 - 1


@dataclass(frozen=True, slots=True, kw_only=True)
class Serialized:
    """A model in bytes.

    Attributes:
        data: The serialised ModelProto.
        folder: Where its external data lies, absolute; None if it has none.
        outside: Bytes of external data.
    """

    data: bytes
    folder: Path | None
    outside: int = 0


def serialize(model: Model) -> Serialized:
    """The model in bytes; references to external data stay.

    Raises:
        UnsupportedModelError: It has 2 GiB or more, which protobuf can't hold.
    """
    external = _external(model)
    folder = model._folder if external else None
    outside = sum(data_size(tensor) for tensor in external)
    return Serialized(data=_bytes(model._proto), folder=folder, outside=outside)


def _external(model: Model) -> list[TensorProto]:
    if not model._data_files:
        return []
    return list(external_tensors(model._proto))


def _bytes(proto: ModelProto) -> bytes:
    size = proto.ByteSize()
    if size > _PROTOBUF_BYTES:
        raise UnsupportedModelError(f"the model has {size} bytes, protobuf holds less than 2 GiB")
    data: bytes = proto.SerializeToString()
    return data


def save(model: Model, path: str | os.PathLike[str], *, beside: bool = False) -> bool:
    """Write the model as one ordinary file, external data brought in; whole or not at all.

    Args:
        model: The model.
        path: Where to. An existing file is replaced, unless the model was loaded with external
            data in it.
        beside: In the folder of the model that it was loaded from, share its external data.

    Returns:
        Whether the file shares external data.

    Raises:
        UnsupportedModelError: With its external data it has 2 GiB or more.
        ModelError: External data can't be read, or the file can't be written.
        RewriteError: The file holds external data of the model.
    """
    target = Path(path).absolute()
    if any(_same(model._folder, location, target) for location in model._data_files):
        raise RewriteError(f"{target} holds the model's external data; write to another file")
    shares = beside and _in_folder(model, target) and bool(_external(model))
    data = _bytes(model._proto if shares else _inlined(model))
    try:
        with atomic_file(target) as file:
            file.write(data)
    except OSError as error:
        raise ModelError(f"can't write model file {target}: {error.strerror}") from None
    return shares


def inlined(model: Model) -> Model:
    """The model with its external data brought in, to be one file.

    Raises:
        UnsupportedModelError: With its external data it has 2 GiB or more.
        ModelError: External data can't be read.
    """
    if not _external(model):
        return model
    return replace(model, _proto=_inlined(model), _folder=None, _data_files=())


def _inlined(model: Model) -> ModelProto:
    external = _external(model)
    if not external:
        return model._proto
    total = model._proto.ByteSize() + sum(data_size(tensor) for tensor in external)
    if total > _PROTOBUF_BYTES:
        raise UnsupportedModelError(
            f"the model has {total} bytes with its external data; one file holds less than 2 GiB"
        )
    proto = model._copy()
    for tensor in external_tensors(proto):
        data = read_external(tensor, model._folder)
        strip_data(tensor)
        tensor.raw_data = data
    return proto


def _in_folder(model: Model, target: Path) -> bool:
    folder = model._folder
    return folder is not None and target.parent.exists() and target.parent.samefile(folder)


def _same(folder: Path | None, location: str, target: Path) -> bool:
    if folder is None or not target.exists():
        return False
    path = folder / location
    return path.exists() and path.samefile(target)
