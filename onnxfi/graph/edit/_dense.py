"""Dense form: sparse tensors written out, as onnxruntime does when it loads a model."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray
from onnx import SparseTensorProto, TensorProto

from onnxfi.bits import format_of, has_format
from onnxfi.errors import ModelError, RewriteError
from onnxfi.graph.index import Edits, Model
from onnxfi.graph.io import external_data
from onnxfi.graph.proto import Data, known_element, scopes, set_words, tensor_words


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
    if model._edits != Edits():
        raise RewriteError("sparse tensors are written out before a model is edited")
    proto = model._copy()
    for scope in scopes(proto.graph):
        for sparse in scope.graph.sparse_initializer:
            scope.graph.initializer.append(_dense(model, sparse))
        scope.graph.ClearField("sparse_initializer")
    return model._edited(proto, model._edits, model._types)


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
