"""Convolutions: which places of an image they read, and the same ones without padding."""

from __future__ import annotations

from dataclasses import dataclass, replace

from onnx import NodeProto, helper

from onnxfi.graph.index import Edits, Model


@dataclass(frozen=True, slots=True, kw_only=True)
class Receptive:
    """What an output place of a two-dimensional convolution reads, by axis: height, width.

    Attributes:
        size: Places of the input that it spans.
        stride: Steps of the input between neighbouring output places.
        pad: Places of padding in front of the input.
    """

    size: tuple[int, int]
    stride: tuple[int, int]
    pad: tuple[int, int]


def receptive_field(model: Model, node: str) -> Receptive | None:
    """What the output places of a top-level convolution read.

    Args:
        model: The model.
        node: Name of the node.

    Returns:
        None if it is no two-dimensional convolution with explicit padding and a stored filter.
    """
    found = next((each for each in model._proto.graph.node if each.name == node), None)
    if found is None or found.op_type != "Conv" or len(found.input) < 2:
        return None
    entry = model.index.initializers.get(found.input[1])
    if entry is None or len(entry.shape) != 4 or _text(found, "auto_pad") not in ("", "NOTSET"):
        return None
    kernel = entry.shape[2:]
    dilation = _integers(found, "dilations", (1, 1))
    stride = _integers(found, "strides", (1, 1))
    pads = _integers(found, "pads", (0, 0, 0, 0))
    if len(dilation) != 2 or len(stride) != 2 or len(pads) != 4:
        return None
    spans = [(size - 1) * step + 1 for size, step in zip(kernel, dilation, strict=True)]
    return Receptive(
        size=(spans[0], spans[1]), stride=(stride[0], stride[1]), pad=(pads[0], pads[1])
    )


def unpadded(model: Model) -> Model:
    """The model with no padding in any of its top-level convolutions: they are fed with it."""
    proto = model._copy()
    for node in proto.graph.node:
        if node.op_type == "Conv":
            kept = [attribute for attribute in node.attribute if attribute.name != "pads"]
            del node.attribute[:]
            node.attribute.extend([*kept, helper.make_attribute("pads", [0, 0, 0, 0])])
    return replace(model, _proto=proto, _edits=Edits())


def _integers(node: NodeProto, name: str, default: tuple[int, ...]) -> tuple[int, ...]:
    for attribute in node.attribute:
        if attribute.name == name:
            return tuple(attribute.ints)
    return default


def _text(node: NodeProto, name: str) -> str:
    for attribute in node.attribute:
        if attribute.name == name:
            text: str = attribute.s.decode()
            return text
    return ""
