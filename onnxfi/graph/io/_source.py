"""Sources of a model: path, bytes, text, ModelProto or graphsurgeon Graph."""

from __future__ import annotations

import hashlib
import os
import re
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import onnx.parser
from google.protobuf import json_format, text_format  # type: ignore[import-untyped]
from google.protobuf.message import DecodeError, EncodeError  # type: ignore[import-untyped]
from onnx import ModelProto

from onnxfi.errors import ModelError, UnsupportedModelError
from onnxfi.graph.io._limits import Limits, over
from onnxfi.graph.proto import one_line

if TYPE_CHECKING:
    from onnx_graphsurgeon.ir.graph import Graph

# The parsers call themselves for each bracket, onnx's until the process dies. A graph in a graph
# takes at most six.
_DEPTH = 200
_TOKEN = re.compile(
    r""""(?:\\.|[^"\\])*"|'(?:\\.|[^'\\])*'|=>|#[^\n]*|[\[({<]|[\])}>]""", re.DOTALL
)
# Past comments, a name and what follows it: `ir_version: 8` or `graph {`, and `agraph (float x)`.
_FIELD = re.compile(r"(?:\s|#[^\n]*\n)*\w+\s*[:{]")
_CONTROL = re.compile(r"[\x00-\x08\x0e-\x1f]")
_PAGE = re.compile(r"\s*<(?:\?xml|!doctype|html|net\b)", re.IGNORECASE)


def read_text(data: bytes, source: str) -> ModelProto | None:
    """A model from text, whichever form it has; None if the bytes are no text.

    Args:
        data: The whole file.
        source: Its name, for messages.

    Raises:
        ModelError: The text is no model.
        UnsupportedModelError: It is of another kind.
    """
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError:
        return None
    if _CONTROL.search(text):
        return None
    if _PAGE.match(text):
        raise UnsupportedModelError(f"{source} is an XML or HTML file, not an ONNX model")
    form = _form(text)
    _check_depth(text, source)
    try:
        return _parsed(text, form)
    except Exception as error:  # the parsers raise whatever they meet
        raise ModelError(
            f"{source} is text, but not an ONNX model in {form}: {_reason(error)}"
        ) from None


def _form(text: str) -> str:
    start = text.lstrip()
    if start.startswith("{"):
        return "protobuf's JSON"
    return "protobuf's text format" if _FIELD.match(text) else "ONNX's text format"


def _parsed(text: str, form: str) -> ModelProto:
    if form == "ONNX's text format":
        return onnx.parser.parse_model(text)
    read = json_format.Parse if "JSON" in form else text_format.Parse
    proto: ModelProto = read(text, ModelProto())
    return proto


def _check_depth(text: str, source: str) -> None:
    depth = 0
    for found in _TOKEN.finditer(text):
        token = found.group()
        if token in ("[", "(", "{", "<"):
            depth += 1
            if depth > _DEPTH:
                raise ModelError(f"{source} is text with brackets nested over {_DEPTH} deep")
        elif token in ("]", ")", "}", ">"):
            depth -= 1


def _reason(error: Exception) -> str:
    """What a parser says; onnx's gives bytes."""
    said = error.args[0] if error.args else ""
    return one_line(ValueError(said.decode(errors="replace") if isinstance(said, bytes) else error))


@dataclass(frozen=True, slots=True, kw_only=True)
class Raw:
    """A model as it was given, before any change; the message is a private copy."""

    source: str
    proto: ModelProto
    sha256: str
    folder: Path | None


def read_source(source: str | os.PathLike[str] | bytes | ModelProto | Graph, limits: Limits) -> Raw:
    """Read a model without looking into it further.

    Raises:
        ModelError: It can't be read, is too large, or is not an ONNX model.
        UnsupportedModelError: It is another kind of model file, or a Graph that can't be exported.
    """
    if isinstance(source, (str, os.PathLike)):
        path = Path(source)
        data = _read_file(path, limits)
        folder = path.parent.absolute()
        return Raw(
            source=str(path), proto=_parse(data, str(path)), sha256=_sha(data), folder=folder
        )
    if isinstance(source, (bytes, bytearray, memoryview)):
        data = bytes(source)
        _check_size(len(data), limits)
        return Raw(source="<bytes>", proto=_parse(data, "<bytes>"), sha256=_sha(data), folder=None)
    name = "<ModelProto>"
    proto = source
    if any(base.__module__.split(".")[0] == "onnx_graphsurgeon" for base in type(source).__mro__):
        from onnxfi.graph.io._surgeon import export

        name = "<graphsurgeon>"
        proto = export(source)
    if not isinstance(proto, ModelProto):
        raise ModelError(
            f"can't load a model from {type(source).__name__}; give a path, bytes, onnx.ModelProto"
            f" or onnx_graphsurgeon.Graph"
        )
    return _from_message(proto, name, limits)


def _from_message(proto: ModelProto, name: str, limits: Limits) -> Raw:
    _check_size(proto.ByteSize(), limits)
    try:
        data = proto.SerializeToString(deterministic=True)
    except EncodeError:
        raise ModelError(f"{name} can't be serialised: it is nested too deep or damaged") from None
    return Raw(source=name, proto=_parse(data, name), sha256=_sha(data), folder=None)


def _read_file(path: Path, limits: Limits) -> bytes:
    try:
        if not path.exists():
            raise ModelError(f"model file {path} does not exist")
        if not path.is_file():
            raise ModelError(f"{path} is not a file; give the path of an .onnx file")
        _check_size(path.stat().st_size, limits)
        return path.read_bytes()
    except OSError as error:
        raise ModelError(f"can't read model file {path}: {error.strerror}") from None


def _check_size(size: int, limits: Limits) -> None:
    if size > limits.file_bytes:
        raise ModelError(over("file_bytes", f"{size} bytes", limits.file_bytes))


def _parse(data: bytes, source: str) -> ModelProto:
    if not data:
        raise ModelError(f"{source} is empty")
    if data.startswith(b"version https://git-lfs"):
        raise ModelError(f"{source} is a Git LFS pointer, not a model; run: git lfs pull")
    if data[4:8] == b"ORTM":
        raise UnsupportedModelError(
            f"{source} is in onnxruntime's own format (.ort); give the .onnx file it was made from"
        )
    proto = _binary(data)
    if proto is None or not _is_model(proto):
        # By what it holds, not by its name; no text is a binary model.
        proto = read_text(data, source) or proto
    if proto is None:
        raise ModelError(
            f"{source} is not an ONNX model, or it is truncated, damaged or nested too deep"
        )
    if not _is_model(proto):
        raise ModelError(f"{source} is not an ONNX model: it holds no graph with outputs")
    return proto


def _binary(data: bytes) -> ModelProto | None:
    try:
        proto: ModelProto = ModelProto.FromString(data)
    except (DecodeError, UnicodeDecodeError):
        return None
    return proto


def _is_model(proto: ModelProto) -> bool:
    return bool(proto.HasField("graph") and proto.graph.output)


def _sha(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()
