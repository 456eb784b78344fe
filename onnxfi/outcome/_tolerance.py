"""The criterion for regression outputs, images and anything else with a numeric distance."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import Annotated, Any, ClassVar, Self

import numpy as np
from msgspec import Meta
from numpy.typing import NDArray

from onnxfi.errors import ConfigError
from onnxfi.outcome._topk import argmax_correct, numbers_of
from onnxfi.workload import Labels


@dataclass(frozen=True, slots=True)
class Tolerance:
    """Any element of the sample differs by more than ``absolute + relative * |golden|``.

    A NaN, or an infinity that golden hasn't, is always outside.
    """

    name: ClassVar[str] = "tolerance"
    help: ClassVar[str] = "an element of the output moved further than allowed"
    forms: ClassVar[tuple[str, ...]] = ("tolerance:ABS", "tolerance:ABS,REL")

    absolute: Annotated[float, Meta(description="Change that is allowed.", ge=0)]
    relative: Annotated[
        float, Meta(description="What is allowed besides, as a part of the golden value.", ge=0)
    ] = 0.0
    by_sample: ClassVar[bool] = True
    by_row: bool = field(default=False, init=False)

    @classmethod
    def read(cls, text: str, values: str | None) -> Self:
        """``tolerance:ABS`` or ``tolerance:ABS,REL``."""
        numbers = numbers_of(values)
        if len(numbers) not in (1, 2) or any(not math.isfinite(v) or v < 0 for v in numbers):
            raise ConfigError(
                f"criterion '{text}' needs one or two numbers >= 0, as in tolerance:0.1 (absolute)"
                " or tolerance:0.1,0.01 (absolute, relative to the golden value)"
            )
        return cls(*numbers)

    def spec(self) -> str:
        """``tolerance:ABS`` or ``tolerance:ABS,REL``."""
        tail = f",{self.relative!r}" if self.relative else ""
        return f"tolerance:{self.absolute!r}{tail}"

    def check(self, output: str, golden: NDArray[Any]) -> None:
        """Refuse text."""
        if golden.dtype.kind in "OSUT":
            raise ConfigError(
                f"criterion {self.spec()} can't judge output '{output}' ({golden.dtype}): it needs "
                "numbers; use --criterion top1 for text labels"
            )

    def decide(
        self,
        golden: NDArray[Any],
        faulty: NDArray[Any],
        labels: Labels | None,  # noqa: ARG002
    ) -> NDArray[np.bool_]:
        """True where any element of the sample is outside."""
        # Overflow to infinity, inf - inf and signalling NaN are answers here, not accidents.
        with np.errstate(over="ignore", invalid="ignore"):
            if golden.dtype.kind != "c":
                golden, faulty = _wide(golden), _wide(faulty)
            inside = np.abs(faulty - golden) <= self.absolute + self.relative * np.abs(golden)
        both_infinite = np.isinf(golden)
        if both_infinite.any() or np.isinf(faulty).any():
            # |golden| = inf would make the bound infinite and accept everything.
            inside = np.where(both_infinite | np.isinf(faulty), faulty == golden, inside)
        return np.asarray(~inside.reshape(len(golden), -1).all(axis=1))

    def correct(self, output: NDArray[Any], labels: Labels) -> NDArray[np.bool_] | None:
        """Top-1 accuracy where the output is class scores (B, C) or an integer class."""
        return argmax_correct(output, labels)


def _wide(values: NDArray[Any]) -> NDArray[Any]:
    """The same numbers in float64; 64-bit integers in the longest float there is."""
    exact = values.dtype.kind in "iu" and values.dtype.itemsize == 8
    return values.astype(np.longdouble if exact else np.float64)
