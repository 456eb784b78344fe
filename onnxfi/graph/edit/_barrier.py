"""Barriers: values that no optimiser sees through, since a graph ends there and begins again."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from onnxfi.errors import RewriteError, UnsupportedModelError
from onnxfi.graph.edit._order import in_canonical_order
from onnxfi.graph.index import Edits, Model, infer_types
from onnxfi.graph.proto import TensorSpec, rename_reads, value_info

_BEHIND = "/behind"


def separate(model: Model, names: Sequence[str]) -> Model:
    """The model in pieces: computed values become outputs, and what reads them reads inputs.

    It is made to be optimised and put together again (:func:`rejoin`), and counts as not edited.

    Args:
        model: The model.
        names: Values that top-level nodes compute.

    Raises:
        RewriteError: A value is not computed at the top level.
        UnsupportedModelError: The type of a value is not known, or a name that is needed in use.
    """
    proto = model._copy()
    graph = proto.graph
    made = {name for node in graph.node for name in node.output}
    outputs = {value.name for value in graph.output}
    pieces = {name: f"{name}{_BEHIND}" for name in names}
    for name, piece in pieces.items():
        element = model.index.element_of(name)
        whole = f"the model can't be taken apart at {name!r}"
        if name not in made:
            raise RewriteError(f"{whole}: no node computes it")
        if element is None:
            raise UnsupportedModelError(f"{whole}: its element type is not known")
        if piece in model._names:
            raise UnsupportedModelError(f"{whole}: the name {piece!r} is in use")
        shape = model.index.shape_of(name)
        graph.input.append(value_info(TensorSpec(name=piece, element=element, shape=shape)))
        if name not in outputs:
            graph.output.append(value_info(TensorSpec(name=name, element=element)))
    rename_reads(graph, pieces)
    types = {**infer_types(proto), **model._types}
    return replace(model, _proto=proto, _types=types, _edits=Edits())


def rejoin(model: Model, names: Sequence[str], outputs: Sequence[str]) -> Model:
    """A model that was taken apart, put together again: a node reads what another computes.

    Args:
        model: What became of the pieces.
        names: Where it was taken apart.
        outputs: The outputs that it had before.
    """
    proto = model._copy()
    graph = proto.graph
    pieces = {f"{name}{_BEHIND}": name for name in names}
    rename_reads(graph, pieces)
    kept = [value for value in graph.input if value.name not in pieces]
    del graph.input[:]
    graph.input.extend(kept)
    wanted = [value for value in graph.output if value.name in outputs]
    del graph.output[:]
    graph.output.extend(wanted)
    whole = replace(model, _proto=proto, _edits=Edits())
    return in_canonical_order(whole)
