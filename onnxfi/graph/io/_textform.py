"""Models in text: ONNX's own text format, protobuf's text format, and protobuf's JSON."""

from __future__ import annotations

import re

import onnx.parser
from google.protobuf import json_format, text_format  # type: ignore[import-untyped]
from onnx import ModelProto

from onnxfi.errors import ModelError, UnsupportedModelError
from onnxfi.graph.proto import one_line

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
