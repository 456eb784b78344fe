"""Element types and specs of values: ONNX's own and ours, translated both ways."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any, Literal

import numpy as np
from onnx import TensorProto, TensorShapeProto, TypeProto, ValueInfoProto

from onnxfi.bits import ElementType, format_of, has_format, packed_bytes
from onnxfi.errors import ModelError, RewriteError

_BY_NUMBER: Mapping[int, ElementType] = MappingProxyType(
    {
        number: ElementType[name]
        for name, number in TensorProto.DataType.items()
        if name in ElementType.__members__
    }
)


def element_from_onnx(number: int) -> ElementType | None:
    """The element type with ONNX's number, None if undefined or unknown here."""
    return _BY_NUMBER.get(number)


def element_to_onnx(element: ElementType) -> int:
    """ONNX's number of an element type."""
    return int(TensorProto.DataType.Value(element.name))


def element_of_dtype(dtype: np.dtype[Any]) -> ElementType:
    """The element type whose values numpy (or ml_dtypes) holds in this dtype.

    Raises:
        ModelError: No ONNX element type has this dtype.
    """
    native = dtype.newbyteorder("=")
    for element in ElementType:
        if has_format(element) and format_of(element).value == native:
            return element
    raise ModelError(f"no ONNX element type holds values of numpy dtype {dtype}")


def data_bytes(element: ElementType, count: int) -> int | None:
    """Bytes of ``count`` elements in raw form, None for strings, which have no fixed size."""
    if element is ElementType.STRING:
        return None
    if element is ElementType.COMPLEX64:
        return 8 * count
    if element is ElementType.COMPLEX128:
        return 16 * count
    return packed_bytes(element, count)


Dim = int | str | None
Shape = tuple[Dim, ...]
Kind = Literal["tensor", "sequence", "map", "optional", "sparse"]


@dataclass(frozen=True, slots=True, kw_only=True)
class TensorSpec:
    """What is declared or inferred about a value; shapes in files may be wrong.

    Attributes:
        name: Name of the value.
        element: Element type; of the elements for a sequence or optional of tensors; None if
            unknown.
        shape: Dimensions: a number, a symbol, or None if unknown; None if the rank is unknown.
        kind: What the value is.
    """

    name: str
    element: ElementType | None = None
    shape: Shape | None = None
    kind: Kind = "tensor"


def spec_of(value: ValueInfoProto) -> TensorSpec:
    """The spec that a graph declares for a value."""
    return spec_of_type(value.name, value.type)


def spec_of_type(name: str, onnx_type: TypeProto) -> TensorSpec:
    """The spec of a value of this ONNX type."""
    which = onnx_type.WhichOneof("value")
    if which == "tensor_type":
        return _tensor_spec(name, onnx_type.tensor_type, "tensor")
    if which == "sparse_tensor_type":
        return _tensor_spec(name, onnx_type.sparse_tensor_type, "sparse")
    if which == "sequence_type":
        inner = spec_of_type(name, onnx_type.sequence_type.elem_type)
        return TensorSpec(name=name, element=inner.element, kind="sequence")
    if which == "optional_type":
        inner = spec_of_type(name, onnx_type.optional_type.elem_type)
        return TensorSpec(name=name, element=inner.element, kind="optional")
    if which == "map_type":
        return TensorSpec(name=name, kind="map")
    return TensorSpec(name=name)


def value_info(spec: TensorSpec) -> ValueInfoProto:
    """Declaration of a tensor value.

    Raises:
        RewriteError: The spec is of another kind than a tensor, or has no element type.
    """
    if spec.kind != "tensor" or spec.element is None:
        raise RewriteError(f"can't declare {spec.name!r}: a tensor with an element type is needed")
    value = ValueInfoProto(name=spec.name)
    value.type.tensor_type.elem_type = element_to_onnx(spec.element)
    if spec.shape is not None:
        value.type.tensor_type.shape.SetInParent()
        for dim in spec.shape:
            added = value.type.tensor_type.shape.dim.add()
            if isinstance(dim, str):
                added.dim_param = dim
            elif dim is not None:
                added.dim_value = dim
    return value


def _tensor_spec(
    name: str, tensor: TypeProto.Tensor | TypeProto.SparseTensor, kind: Kind
) -> TensorSpec:
    shape = _shape(tensor.shape) if tensor.HasField("shape") else None
    return TensorSpec(
        name=name, element=element_from_onnx(tensor.elem_type), shape=shape, kind=kind
    )


def _shape(shape: TensorShapeProto) -> Shape:
    return tuple(_dim(dim) for dim in shape.dim)


def _dim(dim: TensorShapeProto.Dimension) -> Dim:
    # Some exporters write -1 for "any"; a negative extent can't be meant.
    if dim.HasField("dim_value"):
        return dim.dim_value if dim.dim_value >= 0 else None
    return dim.dim_param or None
