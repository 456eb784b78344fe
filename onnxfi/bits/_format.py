"""Bit formats: how wide a stored element is, and which of its bits are sign, exponent, value."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any, TypeAlias

import ml_dtypes
import numpy as np
from numpy.typing import NDArray

from onnxfi.bits._element import ElementType
from onnxfi.errors import FaultError

Words: TypeAlias = NDArray[np.unsignedinteger[Any]]
"""One unsigned word per element; elements below one byte are unpacked into uint8."""


# Compared by identity: there is one format for each element type.
@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class BitFormat:
    """How one element of a tensor is stored, bit 0 being the least significant.

    Attributes:
        element: The element type.
        width: Bits of one element; 1 for bool, of which a whole byte is stored.
        word: Unsigned numpy dtype that holds one element.
        value: numpy or ml_dtypes dtype that decodes a word.
        signed: True where a sign bit exists.
        fields: Bits of ``sign``, ``exponent``, ``mantissa`` (floats) or ``sign``, ``magnitude``
            (integers, bool), least significant field first. The magnitude of a signed integer is
            everything below its sign bit (two's complement).
    """

    element: ElementType
    width: int
    word: np.dtype[Any]
    value: np.dtype[Any]
    signed: bool
    fields: Mapping[str, range]

    def __reduce__(self) -> tuple[Callable[[ElementType], BitFormat], tuple[ElementType]]:
        return format_of, (self.element,)

    @property
    def mask(self) -> int:
        """All bits of one element set."""
        return (1 << self.width) - 1

    def field_of(self, bit: int) -> str:
        """Name of the field that a bit belongs to.

        Raises:
            FaultError: The format has no such bit.
        """
        for name, bits in self.fields.items():
            if bit in bits:
                return name
        raise FaultError(
            f"bit {bit} is out of range for {self.element.name} (bits 0..{self.width - 1})"
        )

    def bits(self, field: str) -> range:
        """Bits of a field, ascending.

        Raises:
            FaultError: The format has no such field.
        """
        if field not in self.fields:
            has = ", ".join(self.fields)
            raise FaultError(f"{self.element.name} has no field {field!r}; it has: {has}")
        return self.fields[field]


def has_format(element: ElementType) -> bool:
    """Whether elements of this type are single words (false for strings and complex numbers)."""
    return element in _FORMATS


def format_of(element: ElementType) -> BitFormat:
    """Format of an element type.

    Raises:
        FaultError: Strings and complex numbers are not single words.
    """
    found = _FORMATS.get(element)
    if found is None:
        raise FaultError(
            f"{element.name} elements are not single words of bits, so no fault can be placed in"
            f" them; exclude this tensor"
        )
    return found


def _word(width: int) -> np.dtype[Any]:
    return np.dtype(f"u{max(8, width) // 8}")


def _float(
    element: ElementType, value: Any, exponent: int, mantissa: int, sign: int = 1
) -> BitFormat:
    width = mantissa + exponent + sign
    spans = {"mantissa": (0, mantissa), "exponent": (mantissa, exponent)}
    spans["sign"] = (mantissa + exponent, sign)
    fields = {name: range(start, start + size) for name, (start, size) in spans.items() if size}
    return BitFormat(
        element=element,
        width=width,
        word=_word(width),
        value=np.dtype(value),
        signed=bool(sign),
        fields=MappingProxyType(fields),
    )


def _integer(element: ElementType, value: Any, width: int, signed: bool) -> BitFormat:
    split = width - 1 if signed else width
    fields = {"magnitude": range(split)}
    if signed:
        fields["sign"] = range(split, width)
    return BitFormat(
        element=element,
        width=width,
        word=_word(width),
        value=np.dtype(value),
        signed=signed,
        fields=MappingProxyType(fields),
    )


def _all_formats() -> dict[ElementType, BitFormat]:
    kinds = ElementType
    formats = [
        _float(kinds.FLOAT, np.float32, 8, 23),
        _float(kinds.DOUBLE, np.float64, 11, 52),
        _float(kinds.FLOAT16, np.float16, 5, 10),
        _float(kinds.BFLOAT16, ml_dtypes.bfloat16, 8, 7),
        _float(kinds.FLOAT8E4M3FN, ml_dtypes.float8_e4m3fn, 4, 3),
        _float(kinds.FLOAT8E4M3FNUZ, ml_dtypes.float8_e4m3fnuz, 4, 3),
        _float(kinds.FLOAT8E5M2, ml_dtypes.float8_e5m2, 5, 2),
        _float(kinds.FLOAT8E5M2FNUZ, ml_dtypes.float8_e5m2fnuz, 5, 2),
        _float(kinds.FLOAT8E8M0, ml_dtypes.float8_e8m0fnu, 8, 0, sign=0),
        _float(kinds.FLOAT4E2M1, ml_dtypes.float4_e2m1fn, 2, 1),
        _integer(kinds.INT2, ml_dtypes.int2, 2, True),
        _integer(kinds.INT4, ml_dtypes.int4, 4, True),
        _integer(kinds.INT8, np.int8, 8, True),
        _integer(kinds.INT16, np.int16, 16, True),
        _integer(kinds.INT32, np.int32, 32, True),
        _integer(kinds.INT64, np.int64, 64, True),
        _integer(kinds.UINT2, ml_dtypes.uint2, 2, False),
        _integer(kinds.UINT4, ml_dtypes.uint4, 4, False),
        _integer(kinds.UINT8, np.uint8, 8, False),
        _integer(kinds.UINT16, np.uint16, 16, False),
        _integer(kinds.UINT32, np.uint32, 32, False),
        _integer(kinds.UINT64, np.uint64, 64, False),
        _integer(kinds.BOOL, np.bool_, 1, False),
    ]
    return {form.element: form for form in formats}


_FORMATS: Mapping[ElementType, BitFormat] = MappingProxyType(_all_formats())
