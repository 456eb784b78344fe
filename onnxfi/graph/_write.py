"""Writing: the model as bytes for a session, or as an ordinary file."""

from __future__ import annotations

import os
import uuid
from dataclasses import dataclass
from pathlib import Path

from onnx import ModelProto, TensorProto

from onnxfi.errors import ModelError, RewriteError, UnsupportedModelError
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
    """

    data: bytes
    folder: Path | None


def serialize(model: Model) -> Serialized:
    """The model in bytes; references to external data stay.

    Raises:
        UnsupportedModelError: It has 2 GiB or more, which protobuf can't hold.
    """
    folder = model._folder if _external(model) else None
    return Serialized(data=_bytes(model._proto), folder=folder)


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


def save(model: Model, path: str | os.PathLike[str]) -> None:
    """Write the model as one ordinary file, external data brought in; whole or not at all.

    Args:
        model: The model.
        path: Where to. An existing file is replaced, unless the model was loaded with external
            data in it.

    Raises:
        UnsupportedModelError: With its external data it has 2 GiB or more.
        ModelError: External data can't be read, or the file can't be written.
        RewriteError: The file holds external data of the model.
    """
    target = Path(path).absolute()
    if any(_same(model._folder, location, target) for location in model._data_files):
        raise RewriteError(f"{target} holds the model's external data; write to another file")
    data = _bytes(_inlined(model))
    try:
        _replace_file(target, data)
    except OSError as error:
        raise ModelError(f"can't write model file {target}: {error.strerror}") from None


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


def _same(folder: Path | None, location: str, target: Path) -> bool:
    if folder is None or not target.exists():
        return False
    path = folder / location
    return path.exists() and path.samefile(target)


def _replace_file(target: Path, data: bytes) -> None:
    # Not tempfile: its files are readable by their owner only, and renaming keeps that.
    name = target.parent / f".{target.name}.{uuid.uuid4().hex}.tmp"
    try:
        with name.open("xb") as stream:
            stream.write(data)
            stream.flush()
            os.fsync(stream.fileno())
        name.replace(target)
        _sync_folder(target.parent)
    except BaseException:
        name.unlink(missing_ok=True)
        raise


def _sync_folder(folder: Path) -> None:
    """Make the renaming itself durable, where the system can."""
    if os.name != "posix":
        return
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
