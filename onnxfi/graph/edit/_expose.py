"""Exposing values: more graph outputs, for looking at what a model computes."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace

from onnx import ValueInfoProto

from onnxfi.errors import RewriteError
from onnxfi.graph.index import Model
from onnxfi.graph.proto import TensorSpec, own_names, value_info


def expose(model: Model, values: Iterable[str]) -> Model:
    """The model with more outputs, behind its own; values that are outputs already are skipped.

    Outputs are declared with their element type, if known, and without a shape: shapes in files
    may be wrong, and onnxruntime would warn about it in every run.

    Raises:
        RewriteError: The model has no such value at its top level.
    """
    present = {spec.name for spec in model.outputs}
    wanted = tuple(name for name in dict.fromkeys(values) if name not in present)
    known = set(own_names(model._proto.graph))
    for name in wanted:
        if name not in known:
            where = "is in a control-flow body" if model.index.producer(name) else "does not exist"
            raise RewriteError(f"can't make {name!r} an output: it {where}")
    proto = model._copy()
    proto.graph.output.extend(_declared(model, name) for name in wanted)
    edits = replace(model._edits, exposed=(*model._edits.exposed, *wanted))
    return model._edited(proto, edits, model._types)


def _declared(model: Model, name: str) -> ValueInfoProto:
    element = model.index.element_of(name)
    if element is None:
        return ValueInfoProto(name=name)
    return value_info(TensorSpec(name=name, element=element))
