"""The criterion for detectors: a value crosses a threshold."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import Annotated, Any, ClassVar, Self

import numpy as np
from msgspec import Meta
from numpy.typing import NDArray

from onnxfi.errors import ConfigError
from onnxfi.outcome._topk import has_order, is_text, numbers_of
from onnxfi.workload import Labels


@dataclass(frozen=True, slots=True)
class Threshold:
    """Any element of the sample is on the other side of a threshold (or a NaN, on none).

    For detectors and multi-label classifiers, whose decision is ``value >= threshold``: speech or
    none, this label or not. Of a sequence, any step may cross.

    Attributes:
        value: The threshold.
    """

    name: ClassVar[str] = "threshold"
    help: ClassVar[str] = "an element of the output is on the other side of a value (detectors)"
    forms: ClassVar[tuple[str, ...]] = ("threshold:VALUE",)

    value: Annotated[float, Meta(description="The threshold.")]
    by_sample: ClassVar[bool] = True
    by_row: bool = field(default=False, init=False)

    @classmethod
    def read(cls, text: str, values: str | None) -> Self:
        """``threshold:VALUE``."""
        numbers = numbers_of(values)
        if len(numbers) != 1 or not math.isfinite(numbers[0]):
            raise ConfigError(f"criterion '{text}' needs one number, as in threshold:0.5")
        return cls(numbers[0])

    def spec(self) -> str:
        """``threshold:VALUE``."""
        return f"threshold:{self.value!r}"

    def check(self, output: str, golden: NDArray[Any]) -> None:
        """Refuse text and truth values."""
        if not has_order(golden):
            raise ConfigError(
                f"criterion {self.spec()} can't judge output '{output}' ({golden.dtype}): it needs "
                "numbers; use --criterion top1 for labels"
            )

    def decide(
        self,
        golden: NDArray[Any],
        faulty: NDArray[Any],
        labels: Labels | None,  # noqa: ARG002
    ) -> NDArray[np.bool_]:
        """True where any element of the sample has changed sides."""
        changed = (golden >= self.value) != (faulty >= self.value)
        changed |= (golden != golden) | (faulty != faulty)
        return np.asarray(changed.reshape(len(golden), -1).any(axis=1))

    def correct(
        self,
        output: NDArray[Any],
        labels: Labels,
    ) -> NDArray[np.bool_] | None:
        """Where one value a sample is on the side of its label, 0 or 1; else None."""
        if output.size != len(output) or is_text(labels):
            return None
        return np.asarray((output.reshape(-1) >= self.value) == (labels != 0))
