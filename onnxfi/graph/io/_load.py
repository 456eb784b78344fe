"""Loadable form: what onnxruntime writes into its optimised graphs and does not read again."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from onnx import ModelProto

from onnxfi.errors import RewriteError
from onnxfi.graph.index import Edits, Model, infer_types, opset_of
from onnxfi.graph.io._external import check_length, external_tensors, open_inside, reference_of
from onnxfi.graph.io._limits import Limits, check_limits
from onnxfi.graph.io._normalize import normalize
from onnxfi.graph.io._source import read_source
from onnxfi.graph.proto import anonymous, scopes

if TYPE_CHECKING:
    from onnx_graphsurgeon.ir.graph import Graph

_SCALED = frozenset({"QuantizeLinear", "DequantizeLinear"})
_AXIS_SINCE = 13


def loadable(model: Model) -> Model:
    """An optimised graph without attributes of later opsets; itself if it has none.

    onnxruntime gives the pairs of quantization that it moves past a Reshape or Transpose an axis,
    whatever the opset. Before opset 13 there is one scale for a whole tensor, so that the axis says
    nothing, and a file with one is refused. The result counts as a model that was not edited.

    Args:
        model: A model without edits.

    Raises:
        RewriteError: The model was edited.
    """
    if opset_of(model.proto) >= _AXIS_SINCE:
        return model
    if model.edits != Edits():
        raise RewriteError("attributes of later opsets are taken out before a model is edited")
    proto = model.editable()
    taken = False
    for scope in scopes(proto.graph):
        for node in scope.graph.node:
            places = [n for n, each in enumerate(node.attribute) if each.name == "axis"]
            if node.op_type in _SCALED and node.domain in ("", "ai.onnx") and places:
                del node.attribute[places[0]]
                taken = True
    return model.edited(proto, model.edits, model.types) if taken else model


def load(
    source: str | os.PathLike[str] | bytes | ModelProto | Graph,
    *,
    limits: Limits | None = None,
) -> Model:
    """Load a model and bring it into normal form.

    Model-local functions are inlined, Constants become initializers, nodes are named and sorted,
    in nested graphs too; the opset stays. What was given is never changed.

    Args:
        source: Path of an ``.onnx`` file, its bytes, a message, or a graphsurgeon ``Graph``.
            External data is read only with a path, and only from the model's folder.
        limits: Caps for untrusted models; None for the defaults.

    Raises:
        ModelError: The model can't be read, is not valid, or exceeds a cap.
        UnsupportedModelError: It is valid, but can't be handled.
    """
    limits = limits or Limits()
    raw = read_source(source, limits)
    check_limits(raw.proto, limits)
    opset_of(raw.proto)
    unnamed = anonymous(raw.proto.graph)
    proto = normalize(raw.proto)
    files = _digests(proto, raw.folder)
    return Model(
        source=raw.source,
        sha256=_combined(raw.sha256, files),
        anonymous=unnamed,
        proto=proto,
        folder=raw.folder,
        data_files=tuple(sorted(files)),
        types=infer_types(proto),
    )


def _digests(proto: ModelProto, folder: Path | None) -> dict[str, str]:
    """Checksums of the files of external data, by location."""
    files: dict[str, str] = {}
    for tensor in external_tensors(proto):
        where = reference_of(tensor)
        with open_inside(where.location, folder, tensor.name) as stream:
            check_length(stream, where, tensor.name)
            if where.location not in files:
                files[where.location] = hashlib.file_digest(stream, "sha256").hexdigest()
    return files


def _combined(of_file: str, files: Mapping[str, str]) -> str:
    """Checksum of the model file; with external data, of all the checksums together."""
    if not files:
        return of_file
    lines = [of_file, *(f"{location}\0{files[location]}" for location in sorted(files))]
    return hashlib.sha256("\n".join(lines).encode()).hexdigest()
