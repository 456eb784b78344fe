"""What a criterion is: the rule for a changed decision, and its binding to one output."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, ClassVar, Protocol, Self

import numpy as np
from numpy.typing import NDArray

from onnxfi.plugins import read_options, written_options

if TYPE_CHECKING:
    from onnxfi.outcome._metric import Metric
    from onnxfi.outcome._outputs import RunOutputs
    from onnxfi.workload import Labels


class Criterion(Protocol):
    """Rule for what a changed decision is.

    Arrays come with samples along axis 0. An output with one row a sample has shape (B, ...). One
    with m > 1 rows a sample (a detector's boxes, the steps of a sequence) comes as (B*m, ...) to a
    criterion that judges by row, and a sample's decision has changed if any of its rows has; to
    others it comes as (B, m, ...). Judged by row, (B, C, 1, 1) comes as (B, C). An
    output that exists once per run comes as (1, ...).

    :class:`AllOutputs` criteria get all outputs by name in place of one.
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

    def decide(self, golden: Any, faulty: Any, labels: Labels | None) -> NDArray[np.bool_]:
        """True where the decision changed, bool (B,); of one output, or of all by name."""
        ...

    def correct(self, output: NDArray[Any], labels: Labels) -> NDArray[np.bool_] | None:
        """True where the answer is the label, bool (B,); None if the output has no such answer."""
        ...


class AllOutputs(ABC):
    """The base of criteria that look at all outputs: text and options from annotated fields.

    A criterion is a frozen dataclass that is derived from it, has a ``name`` and a ``help``, and
    says what a changed decision is. With labels, accuracy is that of the output which
    ``--criterion-output`` names, or of the first one.
    """

    __slots__ = ()

    name: ClassVar[str]
    help: ClassVar[str]
    forms: ClassVar[tuple[str, ...]] = ()
    by_row: ClassVar[bool] = False

    @abstractmethod
    def decide(
        self, golden: RunOutputs, faulty: RunOutputs, labels: Labels | None
    ) -> NDArray[np.bool_]:
        """True where the decision changed, bool (B,).

        Args:
            golden: Fault-free outputs by name, samples on axis 0.
            faulty: Those of the faulty run, of the same shapes.
            labels: The right answers (B,), or None.
        """

    @classmethod
    def read(cls, text: str, values: str | None) -> Self:
        """The criterion of ``NAME`` or ``NAME:OPTION=VALUE,OPTION=VALUE``."""
        del text
        return cls(**read_options(cls, values or "", "criterion"))

    def spec(self) -> str:
        """The name, and the options that differ from their defaults."""
        return written_options(self)

    def check(self, output: str, golden: NDArray[Any]) -> None:
        """Every output will do."""
        del output, golden

    def correct(self, output: NDArray[Any], labels: Labels) -> NDArray[np.bool_] | None:
        """Whether the largest score, or the integer, is the label; None for other outputs."""
        from onnxfi.outcome._topk import argmax_correct

        return argmax_correct(output, labels)


@dataclass(frozen=True, slots=True, kw_only=True)
class BoundCriterion:
    """A criterion, the output that it reads, and the metrics of the same samples.

    Attributes:
        criterion: What a changed decision is.
        output: Name of the output that carries the decision.
        reason: Why that one, and what of it is judged, in words.
        metrics: Metrics whose sums over the samples go into the counts, by their key in the rows.
    """

    criterion: Criterion
    output: str
    reason: str = ""
    metrics: Mapping[str, Metric] = field(default_factory=dict)

    def spec(self) -> str:
        """Text for files and identities, such as ``top1 of logits``."""
        return f"{self.criterion.spec()} of {self.output}"
