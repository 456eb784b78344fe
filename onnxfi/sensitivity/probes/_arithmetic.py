"""Shifting numbers of an element type: in which type it is done, and by how much it can be."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType

import numpy as np
from numpy.typing import NDArray

from onnxfi.bits import ElementType, format_of

_MOST_INT64 = 2.0**62  # so that sums of what values usually are do not wrap around
_LARGEST: Mapping[ElementType, float] = MappingProxyType(
    {
        ElementType.FLOAT16: float(np.finfo(np.float16).max),
        ElementType.BFLOAT16: (2 - 2.0**-7) * 2.0**127,
        ElementType.FLOAT: float(np.finfo(np.float32).max),
        ElementType.DOUBLE: float(np.finfo(np.float64).max),
    }
)
# Types that have an Add that is exact enough, and bounds that numbers of the type stay in.
_WORK: Mapping[ElementType, ElementType] = MappingProxyType(
    {
        ElementType.FLOAT: ElementType.FLOAT,
        ElementType.DOUBLE: ElementType.DOUBLE,
        ElementType.FLOAT16: ElementType.FLOAT,
        ElementType.BFLOAT16: ElementType.FLOAT,
        ElementType.INT8: ElementType.FLOAT,
        ElementType.UINT8: ElementType.FLOAT,
        ElementType.INT16: ElementType.FLOAT,
        ElementType.UINT16: ElementType.FLOAT,
        ElementType.INT32: ElementType.DOUBLE,
        ElementType.UINT32: ElementType.DOUBLE,
        ElementType.INT64: ElementType.INT64,
        ElementType.BOOL: ElementType.FLOAT,
    }
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Arithmetic:
    """How numbers of an element type are shifted.

    Sums of floats are what they are, infinite ones too: a layer that has to hold such a number
    makes the same of it. Integers stay at the end of their range, as where numbers are quantized.
    Truth values are set: upwards to true, downwards to false.

    Attributes:
        element: The type.
        work: Type in which the sum is made.
        bounds: Least and largest number that it is cut off at; None for none.
    """

    element: ElementType
    work: ElementType
    bounds: tuple[float, float] | None

    @classmethod
    def of(cls, element: ElementType) -> Arithmetic | None:
        """The arithmetic of an element type, None if there is none in graphs."""
        work = _WORK.get(element)
        if work is None:
            return None
        return cls(element=element, work=work, bounds=_bounds(element))

    @property
    def floating(self) -> bool:
        """Whether the type has NaN."""
        return self.element is not ElementType.INT64 and self.bounds is None

    @property
    def nothing(self) -> float:
        """What changes no bit of any number when it is added: of floats -0.0, as 0.0 would."""
        return 0.0 if self.work is ElementType.INT64 else -0.0

    def amounts(self, shifts: NDArray[np.float64]) -> NDArray[np.float64]:
        """What is really added for wanted shifts, all of them from 0 up."""
        if self.element is ElementType.BOOL:
            return np.ones(len(shifts))
        if self.element is ElementType.INT64:
            return np.minimum(np.rint(shifts), _MOST_INT64)
        if self.bounds is not None:
            low, high = self.bounds
            return np.minimum(np.rint(shifts), high - low)
        return np.minimum(shifts, _LARGEST[self.element])

    def column(self, amounts: NDArray[np.float64]) -> NDArray[np.generic]:
        """Amounts in the type in which they are added."""
        return amounts.astype(format_of(self.work).value)


def _bounds(element: ElementType) -> tuple[float, float] | None:
    if element is ElementType.BOOL:
        return 0.0, 1.0
    dtype = format_of(element).value
    if dtype.kind not in "iu" or element is ElementType.INT64:
        return None
    return float(np.iinfo(dtype).min), float(np.iinfo(dtype).max)
