"""What a criterion is: the rule for a changed decision, and its binding to one output."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from onnxfi.outcome._outputs import RunOutputs
from onnxfi.workload import Labels


class Criterion(Protocol):
    """Rule for what a changed decision is.

    Arrays come with samples along axis 0. An output with one row a sample has shape (B, ...). One
    with m > 1 rows a sample (a detector's boxes, the steps of a sequence) comes as (B*m, ...) to a
    criterion that judges by row, and a sample's decision has changed if any of its rows has; to
    others it comes as (B, m, ...). Judged by row, (B, C, 1, 1) comes as (B, C). An
    output that exists once per run comes as (1, ...).
    """

    @property
    def by_row(self) -> bool:
        """True if each row along the batch axis is judged alone."""
        ...

    def spec(self) -> str:
        """The text that :func:`parse_criterion` reads, or a stable name; part of the identity."""
        ...

    def check(self, output: str, golden: NDArray[Any]) -> None:
        """Raise ConfigError if outputs like ``golden`` can't be judged by this criterion."""
        ...

    def decide(
        self, golden: NDArray[Any], faulty: NDArray[Any], labels: Labels | None
    ) -> NDArray[np.bool_]:
        """True where the decision changed, bool (B,)."""
        ...

    def correct(self, output: NDArray[Any], labels: Labels) -> NDArray[np.bool_] | None:
        """True where the answer is the label, bool (B,); None if the output has no such answer."""
        ...


class Metric(Protocol):
    """A user's own measure: ``metric(golden, faulty, labels)`` gives float (B,), one a sample."""

    def __call__(
        self, golden: RunOutputs, faulty: RunOutputs, labels: Labels | None
    ) -> NDArray[np.float64]:
        """Measure each sample of a batch."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class BoundCriterion:
    """A criterion, the output that it reads, and the measures taken beside it.

    Attributes:
        criterion: What a changed decision is.
        output: Name of the output that carries the decision.
        reason: Why that one, and what of it is judged, in words.
        metrics: Measures whose sums over the samples go into the counts, by name.
    """

    criterion: Criterion
    output: str
    reason: str = ""
    metrics: Mapping[str, Metric] = field(default_factory=dict)

    def spec(self) -> str:
        """Text for files and identities, such as ``top1 of logits``."""
        return f"{self.criterion.spec()} of {self.output}"
