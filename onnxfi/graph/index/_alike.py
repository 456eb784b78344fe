"""Whether two models are alike: a hash over what one computes; names of one by the other."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping

from onnx import AttributeProto, GraphProto, ModelProto, NodeProto

from onnxfi.graph.index._model import Model
from onnxfi.graph.proto import bodies, scopes


def fingerprint(model: Model) -> str:
    """Hex sha256 over versions, nodes, stored data, inputs and outputs of a model.

    The order of attributes, and what is only there for people, has no part in it; names and the
    order of nodes and initializers have. External data counts by its reference. Of the operator
    sets only those count that an operator is of: onnxruntime writes down all that the process
    knows, those of libraries that another model has brought along included.
    """
    proto = model.editable()
    bare = ModelProto(ir_version=proto.ir_version)
    used = {node.domain for node in model.index.nodes}
    imports = [entry for entry in proto.opset_import if _domain(entry.domain) in used]
    bare.opset_import.extend(sorted(imports, key=lambda entry: entry.domain))
    bare.functions.extend(proto.functions)
    bare.graph.CopyFrom(_plain(proto.graph))
    return hashlib.sha256(bare.SerializeToString(deterministic=True)).hexdigest()


def _domain(name: str) -> str:
    return "" if name == "ai.onnx" else name


def _plain(graph: GraphProto) -> GraphProto:
    """A graph without descriptions, attributes sorted by name, nested graphs likewise."""
    for field in ("name", "doc_string", "metadata_props", "value_info", "quantization_annotation"):
        graph.ClearField(field)
    for node in graph.node:
        _plain_node(node)
    return graph


def _plain_node(node: NodeProto) -> None:
    node.ClearField("doc_string")
    node.ClearField("metadata_props")
    for _, body in bodies(node):
        _plain(body)
    ordered: list[AttributeProto] = sorted(node.attribute, key=lambda attribute: attribute.name)
    del node.attribute[:]
    node.attribute.extend(ordered)


def align(first: Model, second: Model) -> Mapping[str, str] | None:
    """Which initializer of one model stands where which one stands in another.

    onnxruntime names what it makes while optimising by counting, so that the same tensor may have
    another name in the optimised form of another model.

    Args:
        first: A model.
        second: Another one.

    Returns:
        Initializers of ``second`` by those of ``first`` (qualified names), as far as nodes read
        them; None if anything but names and stored values differs, the order of nodes included.
    """
    names = _paired_names(first, second)
    if names is None or not _same_attributes(first, second):
        return None
    mine, theirs = first.index.initializers, second.index.initializers
    found: dict[str, str] = {}
    for name, other in names.items():
        if (name in mine) != (other in theirs):
            return None
        if name not in mine:
            continue
        one, two = mine[name], theirs[other]
        if (one.element, one.shape, one.sparse) != (two.element, two.shape, two.sparse):
            return None
        found[name] = other
    return found


def _paired_names(first: Model, second: Model) -> dict[str, str] | None:
    """Values of the second model by those of the first, None if they don't pair one to one."""
    mine, theirs = first.index.nodes, second.index.nodes
    fixed = [[spec.name for spec in (*m.inputs, *m.outputs)] for m in (first, second)]
    if len(mine) != len(theirs) or fixed[0] != fixed[1]:
        return None
    # Inputs and outputs keep their names: the two models do the same job.
    names = {name: name for name in fixed[0]}
    back = dict(names)
    for one, two in zip(mine, theirs, strict=True):
        if (one.op_type, one.domain) != (two.op_type, two.domain):
            return None
        for read, made in ((one.inputs, two.inputs), (one.outputs, two.outputs)):
            if len(read) != len(made) or not _pair(zip(read, made, strict=True), names, back):
                return None
    return names


def _pair(pairs: Iterable[tuple[str, str]], names: dict[str, str], back: dict[str, str]) -> bool:
    return all(
        names.setdefault(mine, theirs) == theirs and back.setdefault(theirs, mine) == mine
        for mine, theirs in pairs
    )


def _same_attributes(first: Model, second: Model) -> bool:
    mine = [node for scope in scopes(first.proto.graph) for node in scope.graph.node]
    theirs = [node for scope in scopes(second.proto.graph) for node in scope.graph.node]
    return list(map(_attributes, mine)) == list(map(_attributes, theirs))


def _attributes(node: NodeProto) -> list[bytes]:
    """Attributes in a comparable form; nested graphs are compared by their own nodes."""
    nested = (AttributeProto.GRAPH, AttributeProto.GRAPHS)
    plain = [attribute for attribute in node.attribute if attribute.type not in nested]
    return sorted(attribute.SerializeToString(deterministic=True) for attribute in plain)
