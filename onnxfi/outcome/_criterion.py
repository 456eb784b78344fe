"""What a criterion is: the rule for a changed decision, and its binding to one output.

The criteria here hold another rule: one over all outputs, one for each step, a user's function.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, ClassVar, Protocol, Self

import numpy as np
from numpy.typing import NDArray

from onnxfi.errors import ConfigError
from onnxfi.outcome._topk import argmax_correct
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


CriterionFunction = Callable[[NDArray[Any], NDArray[Any], "Labels | None"], "NDArray[np.bool_]"]


@dataclass(frozen=True, slots=True)
class FunctionCriterion:
    """Calls ``function(golden, faulty, labels)``, which returns bool (B,): decision changed.

    Arrays have shape (B, ...), or (B, m, ...) for an output with m > 1 rows a sample; labels are
    int64 (B,) or None. The function is part of a campaign's identity by its qualified name, and
    must be importable where workers run.
    """

    function: CriterionFunction
    by_row: bool = field(default=False, init=False)

    def spec(self) -> str:
        """``function:module.name``."""
        name = getattr(self.function, "__qualname__", type(self.function).__qualname__)
        return f"function:{self.function.__module__}.{name}"

    def check(self, output: str, golden: NDArray[Any]) -> None:
        """Every output is the function's own business."""

    def decide(
        self, golden: NDArray[Any], faulty: NDArray[Any], labels: Labels | None
    ) -> NDArray[np.bool_]:
        """What the function says.

        Raises:
            ConfigError: It raised, or returned anything but B booleans.
        """
        try:
            got = self.function(golden, faulty, labels)
        except Exception as error:
            raise ConfigError(
                f"criterion {self.spec()} raised {type(error).__name__}: {error}; it is called as "
                f"f(golden, faulty, labels) with arrays of shape {golden.shape}"
            ) from error
        answer = np.asarray(got)
        if answer.dtype != np.bool_ or answer.shape != (len(golden),):
            raise ConfigError(
                f"criterion {self.spec()} returned {type(got).__name__} of {answer.dtype} "
                f"{list(answer.shape)}, expected bool [{len(golden)}], one a sample"
            )
        return answer

    def correct(self, output: NDArray[Any], labels: Labels) -> NDArray[np.bool_] | None:
        """Top-1 accuracy where the output is class scores (B, C) or an integer class."""
        return argmax_correct(output, labels)


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
