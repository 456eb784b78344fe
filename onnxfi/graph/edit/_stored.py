"""Stored tensors of a model: reading their words, replacing them, turning them into inputs."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray
from onnx import GraphProto, SparseTensorProto, TensorProto

from onnxfi.bits import ElementType, Words, format_of, has_format
from onnxfi.errors import ModelError, RewriteError
from onnxfi.graph.index import (
    Edits,
    Form,
    Model,
    Place,
    attribute_words,
    graphs_of,
    set_attribute_words,
)
from onnxfi.graph.io import external_data, hold, holdable
from onnxfi.graph.proto import (
    Data,
    TensorSpec,
    Unique,
    check_words,
    join,
    known_element,
    rename_reads,
    scopes,
    set_words,
    tensor_words,
    value_info,
)


def initializer_words(model: Model, name: str) -> Words:
    """The words of stored data.

    Args:
        model: The model.
        name: As in the index (``stored``): of an initializer, ``node/branch/name`` in a nested
            graph; of indices or an attribute.

    Returns:
        A new flat array, one unsigned word per element (2- and 4-bit elements unpacked); of a
        sparse initializer, its non-zero values.

    Raises:
        ModelError: There is no such initializer, or its data can't be read.
        FaultError: Complex elements are not single words.
    """
    place = _place(model, name)
    graphs = graphs_of(model.proto, [place.scope])

    def reader(external: TensorProto) -> Data:
        return external_data(model, external)

    if place.form is Form.ATTRIBUTE:
        return attribute_words(graphs[place.scope].node[place.position], place.attribute, reader)
    return tensor_words(_find(graphs, place), reader, _packed(model, name))


def replace_initializers(model: Model, words: Mapping[str, Words]) -> Model:
    """The model with other data in some initializers, indices or attributes.

    Args:
        model: The model.
        words: New words by name in the index (``stored``), in the layout of
            :func:`initializer_words`; larger ones are kept, not copied. Files of external data
            are left alone.

    Raises:
        ModelError: There is no such initializer, or the number or dtype of words does not fit.
        FaultError: Complex elements and strings are not single words.
    """
    places = {name: _place(model, name) for name in words}
    proto = model.editable()
    graphs = graphs_of(proto, (place.scope for place in places.values()))
    held = dict(model.held)
    for name, place in places.items():
        if place.form is Form.ATTRIBUTE:
            node = graphs[place.scope].node[place.position]
            set_attribute_words(node, place.attribute, words[name])
            continue
        tensor, packed = _find(graphs, place), _packed(model, name)
        if place.form is Form.TENSOR and not place.scope and packed is None and holdable(tensor):
            check_words(tensor, words[name])
            hold(tensor, words[name], held)
        else:
            set_words(tensor, words[name], packed)
    edits = replace(model.edits, replaced=model.edits.replaced | words.keys())
    return replace(model.edited(proto, edits), held=held)


def lift_initializers(model: Model, names: Iterable[str], *, sliceable: bool = False) -> Model:
    """The model with some initializers turned into graph inputs of the same name and type.

    An initializer of a nested graph becomes an input of the whole model under its qualified name.
    One that was repeated as an input keeps its place among the inputs; others are added behind.

    Args:
        model: The model.
        names: The initializers.
        sliceable: Leave their dimensions open, so that slices of them can be fed.

    Raises:
        ModelError: There is no such initializer.
        RewriteError: It is sparse or an attribute, or of a type that can't be an input.
    """
    wanted = tuple(dict.fromkeys(names))
    places = {name: _place(model, name) for name in wanted}
    proto = model.editable()
    graphs = graphs_of(proto, (place.scope for place in places.values()))
    present = {value.name for value in proto.graph.input}
    types = {**model.types}
    added: set[str] = set()
    for name, place in places.items():
        if place.form is not Form.TENSOR:
            what = "an attribute" if place.form is Form.ATTRIBUTE else "sparse"
            raise RewriteError(f"initializer {name!r} is {what} and can't become a graph input")
        if place.scope and name in model.names:
            raise RewriteError(f"initializer {name!r} can't become an input: the name is in use")
        if place.scope:
            helpers = _hoist(graphs[place.scope], place.local, name)
            added.update(join(place.scope, helper) for helper in helpers)
        tensor = _find(graphs, place)
        element, shape = known_element(tensor), tuple(tensor.dims)
        spec = TensorSpec(
            name=name, element=element, shape=(None,) * len(shape) if sliceable else shape
        )
        types["", name] = spec
        if name not in present:
            proto.graph.input.append(value_info(spec))
    _delete(graphs, places.values())
    edits = replace(
        model.edits,
        lifted=(*model.edits.lifted, *wanted),
        nodes=model.edits.nodes | added,
    )
    return model.edited(proto, edits, types)


def _place(model: Model, name: str) -> Place:
    place = model.index.places.get(name)
    if place is None:
        raise ModelError(f"the model has no initializer {name!r}")
    return place


def _packed(model: Model, name: str) -> ElementType | None:
    entry = model.index.stored[name]
    return entry.element if entry.in_bytes else None


def _find(graphs: Mapping[str, GraphProto], place: Place) -> TensorProto:
    graph = graphs[place.scope]
    tensor: TensorProto
    if place.form is Form.TENSOR:
        tensor = graph.initializer[place.position]
    else:
        sparse = graph.sparse_initializer[place.position]
        tensor = sparse.values if place.form is Form.SPARSE else sparse.indices
    return tensor


def _delete(graphs: Mapping[str, GraphProto], places: Iterable[Place]) -> None:
    by_scope: dict[str, list[int]] = {}
    for place in places:
        by_scope.setdefault(place.scope, []).append(place.position)
    for scope, positions in by_scope.items():
        graph = graphs[scope]
        for position in sorted(positions, reverse=True):
            del graph.initializer[position]


def _hoist(graph: GraphProto, local: str, name: str) -> list[str]:
    """Make a nested graph read ``name`` from outside instead of its own ``local``.

    Returns:
        Names of nodes that had to be added.
    """
    if any(value.name == local for value in graph.input):
        raise RewriteError(f"initializer {name!r} is the default of an input of its body")
    rename_reads(graph, {local: name})
    if all(value.name != local for value in graph.output):
        return []
    # onnxruntime refuses a nested graph that returns a value of the graph around it.
    node_name = Unique(node.name for node in graph.node).take(f"{local}/returned")
    graph.node.add(op_type="Identity", input=[name], output=[local], name=node_name)
    return [node_name]


def densify(model: Model) -> Model:
    """The model with dense initializers in place of sparse ones; itself if it has none.

    The result counts as a model that was not edited.

    Args:
        model: A model without edits.

    Raises:
        RewriteError: The model was edited.
        ModelError: An index lies outside of its tensor, or data can't be read.
    """
    if not any(entry.sparse for entry in model.index.initializers.values()):
        return model
    if model.edits != Edits():
        raise RewriteError("sparse tensors are written out before a model is edited")
    proto = model.editable()
    for scope in scopes(proto.graph):
        for sparse in scope.graph.sparse_initializer:
            scope.graph.initializer.append(_dense(model, sparse))
        scope.graph.ClearField("sparse_initializer")
    return model.edited(proto, model.edits, model.types)


def _dense(model: Model, sparse: SparseTensorProto) -> TensorProto:
    def reader(tensor: TensorProto) -> Data:
        return external_data(model, tensor)

    values = sparse.values
    element = known_element(values)
    if not has_format(element):
        raise ModelError(f"sparse tensor {values.name!r} holds {element.name} elements")
    words = np.zeros(math.prod(sparse.dims), format_of(element).word)
    indices = tensor_words(sparse.indices, reader)
    signed = indices.view(np.dtype(f"i{indices.dtype.itemsize}")).astype(np.int64)
    places = _flat(signed, sparse)
    # Of values for one place the last one counts, here as in onnxruntime.
    last = len(places) - 1 - np.unique(places[::-1], return_index=True)[1]
    words[places[last]] = tensor_words(values, reader)[last]
    tensor = TensorProto(name=values.name, data_type=values.data_type, dims=sparse.dims)
    set_words(tensor, words)
    return tensor


def _flat(indices: NDArray[np.int64], sparse: SparseTensorProto) -> NDArray[np.int64]:
    """Flat places of the values, from the linear or the coordinate form."""
    shape = tuple(sparse.dims)
    if len(sparse.indices.dims) == 2:
        rows = indices.reshape(tuple(sparse.indices.dims))
        inside = ((rows >= 0) & (rows < np.array(shape))).all()
        flat = np.ravel_multi_index(tuple(rows.T), shape, mode="wrap") if inside else indices
    else:
        inside = ((indices >= 0) & (indices < math.prod(shape))).all()
        flat = indices
    if not inside:
        raise ModelError(f"an index of sparse tensor {sparse.values.name!r} lies outside of it")
    return np.asarray(flat, np.int64)
