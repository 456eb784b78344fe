"""Small facts: TensorProto files, and which operators a model uses."""

from __future__ import annotations

import os
from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np
from google.protobuf.message import DecodeError  # type: ignore[import-untyped]
from numpy.typing import NDArray
from onnx import ModelProto, TensorProto

from onnxfi.bits import ElementType, from_words, has_format
from onnxfi.errors import ModelError
from onnxfi.graph.index import Model
from onnxfi.graph.ops import is_a
from onnxfi.graph.proto import captures, known_element, raw_bytes, tensor_words


def draws(model: Model) -> bool:
    """Whether some operator of a model may draw random numbers."""
    return any(is_a(node.op_type, "random") for node in model.index.nodes)


def read_tensor(path: str | os.PathLike[str]) -> NDArray[Any]:
    """Read a TensorProto file (``input_0.pb`` of an ONNX test data set).

    Returns:
        The values in the declared shape, in numpy's or ml_dtypes' dtype; strings as objects.

    Raises:
        ModelError: The file can't be read, or holds no tensor with data of its own.
    """
    try:
        tensor = TensorProto.FromString(Path(path).read_bytes())
    except OSError as error:
        raise ModelError(f"can't read tensor file {path}: {error.strerror}") from None
    except DecodeError:
        raise ModelError(f"{path} is not an ONNX tensor, or it is truncated or damaged") from None
    if not tensor.data_type:
        raise ModelError(f"{path} is not an ONNX tensor: it has no element type")
    return _values(tensor, path)


def _values(tensor: TensorProto, path: str | os.PathLike[str]) -> NDArray[Any]:
    def refuse(_: TensorProto) -> bytes:
        raise ModelError(f"{path} keeps its data in another file, which is not read")

    element = known_element(tensor)
    shape = tuple(tensor.dims)
    if has_format(element):
        return from_words(tensor_words(tensor, refuse), element, shape)
    if element is ElementType.STRING:
        if len(tensor.string_data) != int(np.prod(shape, dtype=object)):
            raise ModelError(f"{path} holds {len(tensor.string_data)} strings for shape {shape}")
        texts = [text.decode("utf-8", "replace") for text in tensor.string_data]
        return np.array(texts, dtype=object).reshape(shape)
    dtype = np.dtype("<c8" if element is ElementType.COMPLEX64 else "<c16")
    return np.frombuffer(raw_bytes(tensor, refuse), dtype=dtype).reshape(shape).copy()


def unread_inputs(data: bytes) -> frozenset[str]:
    """Names of a serialised model's inputs that no node reads and no output returns.

    Raises:
        ModelError: It is not an ONNX model.
    """
    try:
        graph = ModelProto.FromString(data).graph
    except DecodeError:
        raise ModelError("it is not an ONNX model, or it is truncated or damaged") from None
    read = {name for node in graph.node for name in captures(node)}
    read.update(value.name for value in graph.output)
    return frozenset(value.name for value in graph.input) - read


def operators(model: Model) -> Counter[str]:
    """How often each operator occurs, nested graphs included; ``domain::Op`` outside ai.onnx."""
    return Counter(
        f"{node.domain}::{node.op_type}" if node.domain else node.op_type
        for node in model.index.nodes
    )
