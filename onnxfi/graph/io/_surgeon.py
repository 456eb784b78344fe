"""graphsurgeon Graphs: exported silently, themselves unchanged, the exporter's slips mended."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import ml_dtypes
import numpy as np
import onnx.helper
from onnx import GraphProto, ModelProto, OperatorSetIdProto, TensorProto
from onnx_graphsurgeon.exporters.onnx_exporter import export_onnx
from onnx_graphsurgeon.ir.graph import Graph
from onnx_graphsurgeon.ir.tensor import Constant, LazyValues, Tensor
from onnx_graphsurgeon.logger.logger import G_LOGGER

from onnxfi.errors import UnsupportedModelError
from onnxfi.graph.proto import bodies, one_line, own_names

# onnx's helper would take its newest IR version, which onnxruntime refuses.
_IR_VERSION = 10
# Written as another type, or one element a byte.
_MISWRITTEN = frozenset(
    np.dtype(dtype) for dtype in (ml_dtypes.float8_e4m3fnuz, ml_dtypes.int4, ml_dtypes.uint4)
)


def export(graph: Graph) -> ModelProto:
    """The message of a graphsurgeon Graph.

    Metadata of nodes and graphs is gone since graphsurgeon imported them. Constants that bodies
    take from around them are stored once, not once a body.

    Raises:
        UnsupportedModelError: The exporter would lose something or can't export it.
    """
    with _silent(), _unchanged(graph):
        try:
            _refuse_lossy(graph)
            proto = export_onnx(graph, do_type_check=False, opset_imports=_imports(graph))
        except UnsupportedModelError:
            raise
        except Exception as error:  # graphsurgeon raises whatever it meets
            raise UnsupportedModelError(
                f"graphsurgeon can't export the graph: {one_line(error)}"
            ) from None
    if getattr(graph, "ir_version", None) is None:
        proto.ir_version = _IR_VERSION
    whole = ModelProto()
    whole.CopyFrom(proto)
    _mend(whole.graph, {})
    return whole


@contextmanager
def _silent() -> Iterator[None]:
    """Graphsurgeon prints its warnings to stdout."""
    before = G_LOGGER.severity
    G_LOGGER.severity = G_LOGGER.CRITICAL
    try:
        yield
    finally:
        G_LOGGER.severity = before


def _parts(graph: Graph) -> list[Graph]:
    nested = graph.subgraphs(recursive=True)  # type: ignore[no-untyped-call]
    return [graph, *nested]


@contextmanager
def _unchanged(graph: Graph) -> Iterator[None]:
    """Put back the domain lists that the exporter extends."""
    parts = [*_parts(graph), *graph.functions]
    before = [None if part.import_domains is None else len(part.import_domains) for part in parts]
    try:
        yield
    finally:
        for part, length in zip(parts, before, strict=True):
            if length is None:
                part.import_domains = None
            else:
                del part.import_domains[length:]


def _imports(graph: Graph) -> list[OperatorSetIdProto]:
    imports = {entry.domain: entry.version for entry in graph.import_domains or ()}
    imports.setdefault("", graph.opset)
    for part in _parts(graph):
        for node in part.nodes:
            imports.setdefault(node.domain or "", 1)
    if "ai.onnx" in imports:
        imports[""] = imports.pop("ai.onnx")
    return [onnx.helper.make_opsetid(domain, version) for domain, version in imports.items()]


def _refuse_lossy(graph: Graph) -> None:
    for part in _parts(graph):
        # Of several tensors with one name the exporter would write one; this raises instead.
        tensors = part.tensors(check_duplicates=True)  # type: ignore[no-untyped-call]
        for tensor in tensors.values():
            if _miswritten(tensor):
                raise UnsupportedModelError(
                    f"graphsurgeon can't export {tensor.name!r}: it writes {tensor.dtype} data"
                    f" wrongly; load the .onnx file instead"
                )


def _miswritten(tensor: Tensor) -> bool:
    if isinstance(tensor.dtype, int) or tensor.dtype is None:
        return False
    if isinstance(tensor, Constant):
        # Values that were imported and never looked at are written as they were read. There is no
        # public way to ask: `values` would look at them.
        return tensor.dtype in _MISWRITTEN and not isinstance(tensor._values, LazyValues)  # noqa: SLF001
    return bool(tensor.dtype == np.dtype(ml_dtypes.float8_e4m3fnuz))


def _mend(graph: GraphProto, outer: dict[str, TensorProto]) -> None:
    for position in reversed(range(len(graph.initializer))):
        tensor = graph.initializer[position]
        around = outer.get(tensor.name)
        if around is not None and _wire(around) == _wire(tensor):
            del graph.initializer[position]
    own = set(own_names(graph))
    for position in reversed(range(len(graph.value_info))):
        if graph.value_info[position].name not in own:
            del graph.value_info[position]
    visible = {**outer, **{tensor.name: tensor for tensor in graph.initializer}}
    for node in graph.node:
        for _, body in bodies(node):
            _mend(body, visible)


def _wire(tensor: TensorProto) -> bytes:
    """Comparable form: two NaNs in a float field are not equal as messages."""
    wire: bytes = tensor.SerializeToString(deterministic=True)
    return wire
