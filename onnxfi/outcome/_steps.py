"""Criteria of single answers, applied to each step of a sequence."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from onnxfi.outcome._criterion import Criterion
from onnxfi.workload import Labels


@dataclass(frozen=True, slots=True)
class EachStep:
    """A sequence's decision is the decisions of all its steps: one that changes changes it.

    Rows are (T, ...), what the model answers in each of T steps. With labels, one a sequence, the
    answer that counts is that of the last step.

    Attributes:
        inner: What a changed decision is in one step.
    """

    inner: Criterion
    by_row: bool = field(default=True, init=False)

    def spec(self) -> str:
        """``steps:`` and the inner criterion's text."""
        return f"steps:{self.inner.spec()}"

    def check(self, output: str, golden: NDArray[Any]) -> None:
        """Refuse what the inner criterion refuses."""
        self.inner.check(output, steps_as_rows(golden))

    def decide(
        self, golden: NDArray[Any], faulty: NDArray[Any], labels: Labels | None
    ) -> NDArray[np.bool_]:
        """True where the decision of any step changed."""
        repeated = None if labels is None else np.repeat(labels, golden.shape[1])
        changed = self.inner.decide(steps_as_rows(golden), steps_as_rows(faulty), repeated)
        return np.asarray(changed.reshape(len(golden), -1).any(axis=1))

    def correct(self, output: NDArray[Any], labels: Labels) -> NDArray[np.bool_] | None:
        """Whether the last step answers as labelled."""
        return self.inner.correct(_squeezed(output[:, -1]), labels)


def steps_as_rows(rows: NDArray[Any]) -> NDArray[Any]:
    """Rows (R, T, ...) as rows (R * T, ...), in the form that criteria see single answers in."""
    return _squeezed(rows.reshape(-1, *rows.shape[2:]))


def _squeezed(rows: NDArray[Any]) -> NDArray[Any]:
    """(R, C, 1, 1) as (R, C)."""
    return rows.reshape(rows.shape[:2]) if rows.ndim > 3 and set(rows.shape[2:]) == {1} else rows
