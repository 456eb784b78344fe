"""More outputs, to look at what a model computes or to ask what type it is."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace

from onnx import GraphProto, ModelProto, TensorProto, ValueInfoProto

from onnxfi.bits import ElementType
from onnxfi.errors import RewriteError
from onnxfi.graph.index import Edits, Model
from onnxfi.graph.proto import Scope, TensorSpec, free_names, own_names, scopes, value_info


def expose(model: Model, values: Iterable[str]) -> Model:
    """The model with more outputs, behind its own; values that are outputs already are skipped.

    Outputs are declared with their element type, if known, and without a shape: shapes in files
    may be wrong, and onnxruntime would warn about it in every run.

    Raises:
        RewriteError: The model has no such value at its top level.
    """
    present = {spec.name for spec in model.outputs}
    wanted = tuple(name for name in dict.fromkeys(values) if name not in present)
    known = set(own_names(model.proto.graph))
    for name in wanted:
        if name not in known:
            where = "is in a control-flow body" if model.index.producer(name) else "does not exist"
            raise RewriteError(f"can't make {name!r} an output: it {where}")
    proto = model.editable()
    proto.graph.output.extend(_declared(model, name) for name in wanted)
    edits = replace(model.edits, exposed=(*model.edits.exposed, *wanted))
    return model.edited(proto, edits, model.types)


def _declared(model: Model, name: str) -> ValueInfoProto:
    element = model.index.element_of(name)
    if element is None:
        return ValueInfoProto(name=name)
    return value_info(TensorSpec(name=name, element=element))


_LOOP_CONTROL = (
    TensorSpec(name="", element=ElementType.INT64, shape=()),
    TensorSpec(name="", element=ElementType.BOOL, shape=()),
)


def untyped(model: Model) -> Mapping[str, tuple[str, ...]]:
    """Values of unknown element type by scope, outer scopes first, under their names there.

    Sequences, maps and optional values have none and are not among them.
    """
    found: dict[str, tuple[str, ...]] = {}
    for scope in scopes(model.proto.graph):
        names = tuple(
            name
            for name in dict.fromkeys(own_names(scope.graph))
            if _unknown(model.types.get((scope.path, name)))
        )
        if names:
            found[scope.path] = names
    return found


def asking(model: Model, path: str, values: Iterable[str]) -> Model | None:
    """A model that has some values as outputs: a session of it tells what they are.

    A control-flow body becomes a model of its own, in which what comes from outside is fed.

    Args:
        model: The model; what lies around the scope has known types, as far as they can be known.
        path: A scope.
        values: Values in it, under their names there.

    Returns:
        The model; None for a body that gets what can't be fed.
    """
    if not path:
        return expose(model, values)
    scope = next(each for each in scopes(model.proto.graph) if each.path == path)
    graph = _alone(scope, model)
    if graph is None:
        return None
    present = {value.name for value in (*graph.input, *graph.output)}
    graph.output.extend(ValueInfoProto(name=name) for name in values if name not in present)
    proto = ModelProto()
    proto.CopyFrom(_without_graph(model.proto))
    proto.graph.CopyFrom(graph)
    return replace(model, proto=proto, types={}, edits=Edits())


def _unknown(spec: TensorSpec | None) -> bool:
    return spec is None or (spec.kind == "tensor" and spec.element is None)


def _without_graph(proto: ModelProto) -> ModelProto:
    bare = ModelProto(ir_version=proto.ir_version)
    bare.opset_import.extend(proto.opset_import)
    return bare


def _alone(scope: Scope, model: Model) -> GraphProto | None:
    """A body with all that it takes from outside: stored tensors as such, the rest as inputs."""
    graph = GraphProto()
    graph.CopyFrom(scope.graph)
    del graph.input[:]
    given = list(_given(scope, model))
    for name in dict.fromkeys(free_names(scope.graph)):
        found = _outside(name, scope, model)
        if isinstance(found, TensorProto):
            graph.initializer.append(found)
        else:
            given.append(found)
    if any(spec is None or spec.kind != "tensor" or spec.element is None for spec in given):
        return None
    graph.input.extend(value_info(spec) for spec in given if spec is not None)
    return graph


def _given(scope: Scope, model: Model) -> Iterator[TensorSpec | None]:
    """What a body is handed anew each time it runs: as it declares it, or as it is outside."""
    assert scope.parent is not None
    assert scope.owner is not None
    owner = scope.parent.graph.node[scope.owner]
    loop = owner.op_type == "Loop"
    for place, value in enumerate(scope.graph.input):
        spec = model.types.get((scope.path, value.name))
        if _unknown(spec) and loop and place < len(_LOOP_CONTROL):
            spec = _LOOP_CONTROL[place]
        elif _unknown(spec) and place < len(owner.input):
            outside = _seen_from(scope.parent, owner.input[place], model)
            # Its rank is another one where a Scan cuts it into slices.
            spec = None if outside is None else replace(outside, shape=None)
        yield None if spec is None else replace(spec, name=value.name)


def _outside(name: str, scope: Scope, model: Model) -> TensorProto | TensorSpec | None:
    """What a body reads from around it."""
    around = scope.parent
    while around is not None:
        stored: dict[str, TensorProto] = {each.name: each for each in around.graph.initializer}
        if name in stored:
            return stored[name]
        around = around.parent
    return None if scope.parent is None else _seen_from(scope.parent, name, model)


def _seen_from(scope: Scope, name: str, model: Model) -> TensorSpec | None:
    """The spec of what a name means in a scope."""
    around: Scope | None = scope
    while around is not None:
        if (around.path, name) in model.types:
            return model.types[around.path, name]
        around = around.parent
    return None
