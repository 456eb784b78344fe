"""Loading: from any source to a checked, normalised :class:`Model`."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from onnx import ModelProto

from onnxfi.graph.index import Model, infer_types, opset_of
from onnxfi.graph.io._external import check_length, external_tensors, open_inside, reference_of
from onnxfi.graph.io._limits import Limits, check_limits
from onnxfi.graph.io._normalize import normalize
from onnxfi.graph.io._source import read_source
from onnxfi.graph.proto import anonymous

if TYPE_CHECKING:
    from onnx_graphsurgeon.ir.graph import Graph


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
        _proto=proto,
        _folder=raw.folder,
        _data_files=tuple(sorted(files)),
        _types=infer_types(proto),
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
