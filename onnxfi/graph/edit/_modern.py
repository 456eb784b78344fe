"""Old operators that the version converter refuses, renames or gets wrong, in their newer form."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any

import numpy as np
from numpy.typing import NDArray
from onnx import GraphProto, NodeProto, helper, numpy_helper

from onnxfi.errors import ModelError
from onnxfi.graph.proto import Unique, bodies, own_names, shown

Attributes = Mapping[str, Any]

# onnxruntime alone has these, and only below opset 10.
_EXPERIMENTAL = 10


@dataclass(frozen=True, slots=True)
class _Old:
    """A node to be rewritten, with the stored tensors that it reads."""

    node: NodeProto
    stored: Mapping[str, NDArray[Any]]
    names: Unique

    @property
    def attributes(self) -> dict[str, Any]:
        return {a.name: helper.get_attribute_value(a) for a in self.node.attribute}

    def inner(self, what: str) -> str:
        """A new name for a value between the new nodes."""
        return self.names.take(f"{self.node.output[0]}/{what}")

    def constant(self, what: str, values: NDArray[Any]) -> NodeProto:
        tensor = numpy_helper.from_array(values)
        return helper.make_node("Constant", [], [self.inner(what)], value=tensor)

    def last(self, op_type: str, inputs: list[str], **attributes: Any) -> NodeProto:
        """The node that takes the old one's place: its name and its outputs."""
        node = NodeProto()
        node.CopyFrom(self.node)
        for field in ("op_type", "input", "attribute"):
            node.ClearField(field)
        node.MergeFrom(helper.make_node(op_type, inputs, [], **attributes))
        return node


_Rewrite = Callable[[_Old], list[NodeProto]]


def needs_rewriting(node: NodeProto, old: int, new: int) -> bool:
    """Whether a node of ai.onnx ``old`` is one that :func:`modernize` brings to ``new``."""
    entry = _REWRITES.get(node.op_type) if node.domain in ("", "ai.onnx") else None
    return entry is not None and old < entry[0] <= new


def modernize(graph: GraphProto, old: int, new: int) -> None:
    """Give the nodes that :func:`needs_rewriting` names their newer form, in place.

    Raises:
        ModelError: What a node does can't be told from the model.
    """
    every = list(_graphs(graph))
    if not any(needs_rewriting(node, old, new) for inner in every for node in inner.node):
        return
    names = Unique(name for inner in every for name in own_names(inner))
    stored = {
        tensor.name: numpy_helper.to_array(tensor)
        for inner in every
        for tensor in inner.initializer
        if not tensor.external_data and tensor.ByteSize() <= 1024
    }
    # Inner graphs first: giving a graph new nodes copies them, bodies included.
    for inner in reversed(every):
        nodes: list[NodeProto] = []
        for node in inner.node:
            if needs_rewriting(node, old, new):
                nodes += _REWRITES[node.op_type][1](_Old(node, stored, names))
            else:
                nodes.append(node)
        if len(nodes) > len(inner.node) or any(needs_rewriting(n, old, new) for n in inner.node):
            del inner.node[:]
            inner.node.extend(nodes)


def _graphs(graph: GraphProto) -> Iterator[GraphProto]:
    yield graph
    for node in graph.node:
        for _, body in bodies(node):
            yield from _graphs(body)


def _upsample(old: _Old) -> list[NodeProto]:
    """Upsample takes the element at the scaled place rounded down, counted from the corner."""
    mode = old.attributes.get("mode", b"nearest")
    made: list[NodeProto] = []
    if "scales" in old.attributes:
        made.append(old.constant("scales", np.array(old.attributes["scales"], np.float32)))
        scales = made[0].output[0]
    else:
        scales = old.node.input[1]
    rounding = {"nearest_mode": "floor"} if mode == b"nearest" else {}
    return [*made, _resized(old, scales, mode, rounding)]


def _resize(old: _Old) -> list[NodeProto]:
    """Resize of opset 10: as Upsample, but rounding up where it makes an axis smaller."""
    mode = old.attributes.get("mode", b"nearest")
    rounding = {"nearest_mode": _rounding(old)} if mode == b"nearest" else {}
    return [_resized(old, old.node.input[1], mode, rounding)]


def _resized(old: _Old, scales: str, mode: bytes, rounding: Attributes) -> NodeProto:
    where = {"coordinate_transformation_mode": "asymmetric", **rounding}
    return old.last("Resize", [old.node.input[0], "", scales], mode=mode, **where)


def _rounding(old: _Old) -> str:
    scales = old.stored.get(old.node.input[1])
    if scales is not None and (scales >= 1).all():
        return "floor"
    if scales is not None and (scales <= 1).all():
        return "ceil"
    raise ModelError(
        f"node {shown(old.node)} rounds up where it makes an axis smaller and down elsewhere, and"
        f" its scales are not known to do one of both"
    )


def _scatter(old: _Old) -> list[NodeProto]:
    return [old.last("ScatterElements", list(old.node.input), **old.attributes)]


def _hardmax(old: _Old) -> list[NodeProto]:
    """Before opset 13 all axes from ``axis`` on were one."""
    source = old.node.input[0]
    flat, hard, shape = (old.inner(what) for what in ("flat", "hard", "shape"))
    return [
        helper.make_node("Flatten", [source], [flat], axis=old.attributes.get("axis", 1)),
        helper.make_node("Hardmax", [flat], [hard], axis=-1),
        helper.make_node("Shape", [source], [shape]),
        old.last("Reshape", [hard, shape]),
    ]


def _group_normalization(old: _Old) -> list[NodeProto]:
    """Before opset 21 scale and bias had an element a group, since then one a channel."""
    groups = old.attributes["num_groups"]
    source, scale, bias = old.node.input
    count = old.constant("groups", np.array([groups], np.int64))
    column = old.constant("column", np.array([groups, 1], np.int64))
    flat = old.constant("flat", np.array([-1], np.int64))
    channels, each, spread = (old.inner(what) for what in ("channels", "each", "spread"))
    made = [
        count,
        column,
        flat,
        helper.make_node("Shape", [source], [channels], start=1, end=2),
        helper.make_node("Div", [channels, count.output[0]], [each]),
        helper.make_node("Concat", [count.output[0], each], [spread], axis=0),
    ]
    by_channel = []
    for what, name in (("scale", scale), ("bias", bias)):
        upright, wide, joined = (old.inner(f"{what}/{part}") for part in ("column", "wide", "flat"))
        by_channel.append(joined)
        made += [
            helper.make_node("Reshape", [name, column.output[0]], [upright]),
            helper.make_node("Expand", [upright, spread], [wide]),
            helper.make_node("Reshape", [wide, flat.output[0]], [joined]),
        ]
    return [*made, old.last("GroupNormalization", [source, *by_channel], **old.attributes)]


def _swish(old: _Old) -> list[NodeProto]:
    """Onnxruntime runs Swish as the nodes that it stands for, but not above opset 24."""
    source = old.node.input[0]
    alpha = old.constant("alpha", np.array(old.attributes.get("alpha", 1.0), np.float32))
    cast, scaled, gate = (old.inner(what) for what in ("cast", "scaled", "gate"))
    return [
        alpha,
        helper.make_node("CastLike", [alpha.output[0], source], [cast]),
        helper.make_node("Mul", [cast, source], [scaled]),
        helper.make_node("Sigmoid", [scaled], [gate]),
        old.last("Mul", [source, gate]),
    ]


def _affine(old: _Old) -> list[NodeProto]:
    alpha, beta = old.attributes.get("alpha", 1.0), old.attributes.get("beta", 0.0)
    return _scaled(old, np.float32(alpha), np.float32(beta))


def _image_scaler(old: _Old) -> list[NodeProto]:
    bias = np.array(old.attributes.get("bias", [0.0]), np.float32).reshape(1, -1, 1, 1)
    return _scaled(old, np.float32(old.attributes.get("scale", 1.0)), bias)


def _scaled(old: _Old, factor: Any, offset: Any) -> list[NodeProto]:
    by, plus = old.constant("factor", np.array(factor)), old.constant("offset", np.array(offset))
    product = old.inner("product")
    return [
        by,
        plus,
        helper.make_node("Mul", [old.node.input[0], by.output[0]], [product]),
        old.last("Add", [product, plus.output[0]]),
    ]


def _scale(old: _Old) -> list[NodeProto]:
    by = old.constant("factor", np.array(old.attributes.get("scale", 1.0), np.float32))
    return [by, old.last("Mul", [old.node.input[0], by.output[0]])]


def _crop(old: _Old) -> list[NodeProto]:
    """Crop takes (left, top, right, bottom) away, or keeps a size counted from the left top."""
    left, top, right, bottom = old.attributes["border"]
    height, width = old.attributes.get("scale", (0, 0))
    if "scale" in old.attributes:
        end = [top + height, left + width]
    else:
        end = [-bottom or np.iinfo(np.int64).max, -right or np.iinfo(np.int64).max]
    starts = old.constant("starts", np.array([top, left], np.int64))
    ends = old.constant("ends", np.array(end, np.int64))
    axes = old.constant("axes", np.array([2, 3], np.int64))
    made = [starts, ends, axes]
    given = [old.node.input[0], *(node.output[0] for node in made)]
    return [*made, old.last("Slice", given)]


def _dynamic_slice(old: _Old) -> list[NodeProto]:
    return [old.last("Slice", list(old.node.input))]


#: Operator: the opset in which it has become another, and what it is since then.
_REWRITES: Mapping[str, tuple[int, _Rewrite]] = MappingProxyType(
    {
        "Upsample": (11, _upsample),
        "Resize": (11, _resize),
        "Scatter": (11, _scatter),
        "Hardmax": (13, _hardmax),
        "GroupNormalization": (21, _group_normalization),
        "Swish": (25, _swish),
        "Affine": (_EXPERIMENTAL, _affine),
        "ImageScaler": (_EXPERIMENTAL, _image_scaler),
        "Scale": (_EXPERIMENTAL, _scale),
        "Crop": (_EXPERIMENTAL, _crop),
        "DynamicSlice": (_EXPERIMENTAL, _dynamic_slice),
    }
)
