"""The order of nodes that the graph alone decides; graphs taken apart and joined again."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace

from onnx import GraphProto, NodeProto

from onnxfi.errors import RewriteError, UnsupportedModelError
from onnxfi.graph.index import Edits, Model, infer_types
from onnxfi.graph.io import replace_nodes
from onnxfi.graph.proto import TensorSpec, captures, own_names, rename_reads, scopes, value_info


def in_canonical_order(model: Model) -> Model:
    """The model with its nodes and initializers in canonical order, in nested graphs too.

    Nodes come in the order in which walking back from the outputs, inputs first, finishes them;
    initializers in the order in which nodes read them first. So two files that list the same
    graph in another order become equal but for names: onnxruntime lists what it has inserted in
    the order of a hash table, which is another one in each process. Declarations of values that
    the graph does not have are dropped: it declares what it has optimised away, too, under names
    that would look taken.
    """
    proto = model.editable()
    kept: set[tuple[str, str]] = set()
    # Inner graphs first: giving a graph its nodes anew copies them, bodies included.
    for scope in reversed(list(scopes(proto.graph))):
        graph = scope.graph
        replace_nodes(graph, [graph.node[place] for place in _finished(graph)])
        order = _first_reads(graph)
        stored = sorted(graph.initializer, key=lambda tensor: order.get(tensor.name, len(order)))
        del graph.initializer[:]
        graph.initializer.extend(stored)
        own = set(own_names(graph))
        declared = [value for value in graph.value_info if value.name in own]
        del graph.value_info[:]
        graph.value_info.extend(declared)
        kept.update((scope.path, name) for name in own)
    types = {key: spec for key, spec in model.types.items() if key in kept}
    return model.edited(proto, model.edits, types)


def _finished(graph: GraphProto) -> list[int]:
    """Positions of nodes in the order of a depth-first walk from the outputs.

    What no output depends on comes last, in the order of the file.
    """
    makers = {name: place for place, node in enumerate(graph.node) for name in _made(node)}
    order: list[int] = []
    seen: set[int] = set()
    roots = [makers[value.name] for value in graph.output if value.name in makers]
    for root in (*roots, *range(len(graph.node))):
        # By hand, not by recursion: networks are thousands of nodes deep.
        walk = [(root, iter(_before(graph, root, makers)))] if root not in seen else []
        seen.add(root)
        while walk:
            place, before = walk[-1]
            following = next((other for other in before if other not in seen), None)
            if following is None:
                order.append(place)
                walk.pop()
            else:
                seen.add(following)
                walk.append((following, iter(_before(graph, following, makers))))
    return order


def _before(graph: GraphProto, place: int, makers: dict[str, int]) -> Sequence[int]:
    return [makers[name] for name in captures(graph.node[place]) if name in makers]


def _made(node: NodeProto) -> Iterator[str]:
    return filter(None, node.output)


def _first_reads(graph: GraphProto) -> dict[str, int]:
    order: dict[str, int] = {}
    for node in graph.node:
        for name in captures(node):
            order.setdefault(name, len(order))
    return order


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
    proto = model.editable()
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
        if piece in model.names:
            raise UnsupportedModelError(f"{whole}: the name {piece!r} is in use")
        shape = model.index.shape_of(name)
        graph.input.append(value_info(TensorSpec(name=piece, element=element, shape=shape)))
        if name not in outputs:
            graph.output.append(value_info(TensorSpec(name=name, element=element)))
    rename_reads(graph, pieces)
    types = {**infer_types(proto), **model.types}
    return replace(model, proto=proto, types=types, edits=Edits())


def rejoin(model: Model, names: Sequence[str], outputs: Sequence[str]) -> Model:
    """A model that was taken apart, put together again: a node reads what another computes.

    Args:
        model: What became of the pieces.
        names: Where it was taken apart.
        outputs: The outputs that it had before.
    """
    proto = model.editable()
    graph = proto.graph
    pieces = {f"{name}{_BEHIND}": name for name in names}
    rename_reads(graph, pieces)
    kept = [value for value in graph.input if value.name not in pieces]
    del graph.input[:]
    graph.input.extend(kept)
    wanted = [value for value in graph.output if value.name in outputs]
    del graph.output[:]
    graph.output.extend(wanted)
    whole = replace(model, proto=proto, edits=Edits())
    return in_canonical_order(whole)
