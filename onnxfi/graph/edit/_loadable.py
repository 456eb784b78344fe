"""Loadable form: what onnxruntime writes into its optimised graphs and does not read again."""

from __future__ import annotations

from onnxfi.errors import RewriteError
from onnxfi.graph.index import Edits, Model, opset_of
from onnxfi.graph.proto import scopes

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
    if opset_of(model._proto) >= _AXIS_SINCE:
        return model
    if model._edits != Edits():
        raise RewriteError("attributes of later opsets are taken out before a model is edited")
    proto = model._copy()
    taken = False
    for scope in scopes(proto.graph):
        for node in scope.graph.node:
            places = [n for n, each in enumerate(node.attribute) if each.name == "axis"]
            if node.op_type in _SCALED and node.domain in ("", "ai.onnx") and places:
                del node.attribute[places[0]]
                taken = True
    return model._edited(proto, model._edits, model._types) if taken else model
