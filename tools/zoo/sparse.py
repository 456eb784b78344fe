"""Zeros in stored weights: one zero for all, and sparse initializers that leave them out."""

from __future__ import annotations

import numpy as np
import onnx
from onnx import helper, numpy_helper


def plain_zeros(model: onnx.ModelProto) -> onnx.ModelProto:
    """Return the model with every negative zero of its initializers made a positive one.

    A pruned weight times a negative factor of a folded BatchNorm is one; its sign bit is set.
    """
    changed = onnx.ModelProto.FromString(model.SerializeToString())
    for tensor in changed.graph.initializer:
        array = numpy_helper.to_array(tensor)
        if array.dtype == np.float32:
            tensor.CopyFrom(numpy_helper.from_array(array + np.float32(0), tensor.name))
    return changed


def sparse(model: onnx.ModelProto) -> onnx.ModelProto:
    """Return the model with each initializer in sparse form for which that takes fewer bytes."""
    changed = onnx.ModelProto.FromString(model.SerializeToString())
    graph = changed.graph
    dense = []
    for tensor in graph.initializer:
        array = numpy_helper.to_array(tensor)
        # An index is an int64 into the flattened tensor.
        if np.count_nonzero(array) * (array.itemsize + 8) < array.nbytes:
            graph.sparse_initializer.append(_sparse_tensor(tensor.name, array))
        else:
            dense.append(tensor)
    del graph.initializer[:]
    graph.initializer.extend(dense)
    # Not the full check: shape inference of onnx 1.23 takes no sparse weights.
    onnx.checker.check_model(changed)
    return changed


def _sparse_tensor(name: str, array: np.ndarray) -> onnx.SparseTensorProto:
    flat = array.ravel()
    places = np.flatnonzero(flat)
    return helper.make_sparse_tensor(
        numpy_helper.from_array(flat[places], name),
        numpy_helper.from_array(places.astype(np.int64), f"{name}_indices"),
        list(array.shape),
    )
