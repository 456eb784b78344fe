"""Classification criteria: top-1, top-5 and label."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Annotated, Any, ClassVar, Self, cast

import numpy as np
from msgspec import Meta
from numpy.typing import NDArray

from onnxfi.errors import ConfigError
from onnxfi.workload import Labels

_TEXT = "OSUT"  # numpy kinds of string tensors


def arranged(rows: NDArray[Any], axis: int | None = None) -> NDArray[Any]:
    """Rows with their classes on the last axis, (R, ..., C).

    Axes of size 1 in between are dropped: (T, 1, C) a row are scores at T positions.

    Args:
        rows: Samples (or rows of samples) on axis 0.
        axis: Where the classes are; None for the last axis.
    """
    if axis is not None:
        return np.moveaxis(rows, axis, -1)
    kept = [size for place, size in enumerate(rows.shape[:-1]) if place == 0 or size != 1]
    return rows if rows.ndim < 3 or rows.shape[-1] < 2 else rows.reshape(*kept, rows.shape[-1])


def is_text(values: NDArray[Any]) -> bool:
    """True for arrays of strings."""
    return values.dtype.kind in _TEXT


def is_value(rows: NDArray[Any]) -> bool:
    """True if each row is itself a decision: one integer, boolean or text."""
    return rows.size == len(rows) and rows.dtype.kind in "iub" + _TEXT


def is_decided(rows: NDArray[Any]) -> bool:
    """True if all entries are decisions themselves: numbers of classes (int64) and texts."""
    return is_value(rows) or rows.dtype == np.int64 or is_text(rows)


def is_scores(rows: NDArray[Any]) -> bool:
    """True for rows of at least two class scores, (R, C)."""
    return rows.ndim == 2 and rows.shape[1] >= 2 and has_order(rows) and not is_decided(rows)


def has_order(rows: NDArray[Any]) -> bool:
    """True for real numbers (not booleans, text or complex), which have a largest one."""
    return rows.dtype.kind not in "bc" + _TEXT


def fits_labels(rows: NDArray[Any], labels: Labels) -> bool:
    """Whether answers can be compared with labels: texts with texts, numbers with numbers."""
    return is_text(rows) == is_text(labels)


def class_numbers(labels: Labels) -> NDArray[np.int64]:
    """Labels of a kind that fits scores."""
    return cast("NDArray[np.int64]", labels)


def _decision(rows: NDArray[Any]) -> NDArray[Any]:
    """The values themselves, or which score on the last axis is the largest (first of equals).

    Of (R, ..., C) it is (R, P) of P positions.
    """
    found = rows if is_decided(rows) else np.argmax(rows, axis=-1)
    return np.asarray(found.reshape(len(rows), -1))


def _unordered(rows: NDArray[Any]) -> NDArray[np.bool_]:
    """Bool (R,): True where a NaN makes the largest score of some position undefined."""
    if is_decided(rows) or rows.dtype.kind in "iu":
        return np.zeros(1, np.bool_)
    nan = np.isnan(rows)
    flat = nan.reshape(len(rows), -1)
    return np.asarray(flat.any(axis=1)) if nan.any() else np.zeros(1, np.bool_)


def argmax_correct(rows: NDArray[Any], labels: Labels) -> NDArray[np.bool_] | None:
    """Where the decision is the label, bool (R,).

    None unless rows are scores, one integer or one text, and labels of that kind.
    """
    rows = arranged(rows)
    one = is_scores(rows) or (is_value(rows) and rows.dtype.kind != "b")
    if not one or not fits_labels(rows, labels):
        return None
    return np.asarray((_decision(rows)[:, 0] == labels) & ~_unordered(rows))


def _fits(rows: NDArray[Any]) -> bool:
    return is_decided(rows) or (rows.ndim in (2, 3) and rows.shape[-1] >= 2 and has_order(rows))


def numbers_of(values: str | None) -> list[float]:
    """Numbers separated by commas; none where one of them is no number."""
    try:
        return [float(part) for part in values.split(",")] if values is not None else []
    except ValueError:
        return []


def _without_values(text: str, values: str | None) -> None:
    """Refuse values where a criterion takes none."""
    if values is not None:
        name = text.partition(":")[0]
        raise ConfigError(f"criterion '{text}' takes no values; use {name}")


def _refuse(spec: str, output: str, golden: NDArray[Any], expected: str) -> ConfigError:
    shape = ", ".join(map(str, golden.shape[1:]))
    return ConfigError(
        f"criterion {spec} can't judge output '{output}' ({golden.dtype}, [{shape}] a row): "
        f"expected {expected}; use --criterion tolerance:ABS[,REL] or a function of your own"
    )


@dataclass(frozen=True, slots=True)
class Top1:
    """The class with the largest score changed (SDC-1); NaN never counts as agreement.

    Rows are (C,) scores, or scores at several positions (steps, pixels), of which any may change:
    (T, C), or of any shape where the axis of the classes is named. Texts and int64 are decisions
    themselves, as is a single integer of any type: equal or not, entry by entry.

    Attributes:
        axis: Where the classes are, samples on axis 0; None for the last axis.
    """

    name: ClassVar[str] = "top1"
    help: ClassVar[str] = "the class with the largest score is another one"
    forms: ClassVar[tuple[str, ...]] = ("top1", "top1:AXIS")

    axis: Annotated[int | None, Meta(description="Axis of the classes; else the last.")] = None
    by_row: bool = field(default=True, init=False)

    @classmethod
    def read(cls, text: str, values: str | None) -> Self:
        """``top1``, or ``top1:AXIS``."""
        if values is None:
            return cls()
        try:
            axis = int(values)
        except ValueError:
            axis = 0
        if axis == 0:
            raise ConfigError(
                f"criterion '{text}' needs the axis that classes are on, as in top1:1; axis 0 is"
                " that of the samples"
            )
        return cls(axis)

    def spec(self) -> str:
        """``top1``, or ``top1:1`` for classes on axis 1."""
        return "top1" if self.axis is None else f"top1:{self.axis}"

    def check(self, output: str, golden: NDArray[Any]) -> None:
        """Refuse regression values, images and other outputs without classes."""
        if self.axis is not None:
            inside = -golden.ndim < self.axis < golden.ndim and self.axis != 0
            if is_decided(golden) or not inside or golden.shape[self.axis] < 2:
                raise _refuse(self.spec(), output, golden, f"class scores along axis {self.axis}")
        elif not _fits(arranged(golden)):
            expected = (
                "class scores along the last axis, at one axis of positions or none, or an integer;"
                " of classes on another axis, as in [N, C, H, W], say which: --criterion top1:AXIS"
            )
            raise _refuse("top1", output, golden, expected)

    def decide(
        self,
        golden: NDArray[Any],
        faulty: NDArray[Any],
        labels: Labels | None,  # noqa: ARG002
    ) -> NDArray[np.bool_]:
        """True where the largest score is another one, or a NaN leaves it undefined."""
        golden, faulty = arranged(golden, self.axis), arranged(faulty, self.axis)
        changed = np.asarray((_decision(golden) != _decision(faulty)).any(axis=1))
        return changed | _unordered(golden) | _unordered(faulty)

    def correct(self, output: NDArray[Any], labels: Labels) -> NDArray[np.bool_] | None:
        """Top-1 accuracy, sample by sample."""
        return argmax_correct(arranged(output, self.axis), labels)


@dataclass(frozen=True, slots=True)
class TopK:
    """The golden top-1 class is no longer among the k largest scores (SDC-5 for k = 5)."""

    name: ClassVar[str] = "top5"
    help: ClassVar[str] = "the best class is no longer among the five best"
    forms: ClassVar[tuple[str, ...]] = ("top5",)

    k: int = 5
    by_row: bool = field(default=True, init=False)

    @classmethod
    def read(cls, text: str, values: str | None) -> Self:
        """``top5``."""
        _without_values(text, values)
        return cls()

    def spec(self) -> str:
        """``top5`` for k = 5."""
        return f"top{self.k}"

    def check(self, output: str, golden: NDArray[Any]) -> None:
        """Refuse outputs with k classes or fewer: nothing could leave the k largest."""
        if not is_scores(arranged(golden)) or golden.shape[-1] <= self.k:
            expected = f"scores of more than {self.k} classes along the last axis, one row a sample"
            raise _refuse(self.spec(), output, golden, expected)

    def decide(
        self,
        golden: NDArray[Any],
        faulty: NDArray[Any],
        labels: Labels | None,  # noqa: ARG002
    ) -> NDArray[np.bool_]:
        """True where golden's best class fell out of faulty's k best."""
        golden, faulty = arranged(golden), arranged(faulty)
        kept = self._among(faulty, np.argmax(golden, axis=1))
        return np.asarray(~kept | _unordered(golden))

    def correct(self, output: NDArray[Any], labels: Labels) -> NDArray[np.bool_] | None:
        """Top-k accuracy, sample by sample."""
        output = arranged(output)
        if not fits_labels(output, labels):
            return None
        numbers = class_numbers(labels)
        known = (numbers >= 0) & (numbers < output.shape[1])
        return np.asarray(known & self._among(output, np.where(known, numbers, 0)))

    def _among(self, scores: NDArray[Any], classes: NDArray[np.int64]) -> NDArray[np.bool_]:
        own = np.take_along_axis(scores, classes[:, None], axis=1)
        earlier = np.arange(scores.shape[1]) < classes[:, None]
        ahead = (scores > own) | ((scores == own) & earlier)
        return np.asarray((np.count_nonzero(ahead, axis=1) < self.k) & ~_unordered(scores))


@dataclass(frozen=True, slots=True)
class LabelLost:
    """A right answer turned wrong; a wrong one that stays wrong or turns right is no change."""

    name: ClassVar[str] = "label"
    help: ClassVar[str] = "a right answer turns wrong"
    forms: ClassVar[tuple[str, ...]] = ("label",)

    by_row: bool = field(default=True, init=False)

    @classmethod
    def read(cls, text: str, values: str | None) -> Self:
        """``label``."""
        _without_values(text, values)
        return cls()

    def spec(self) -> str:
        """``label``."""
        return "label"

    def check(self, output: str, golden: NDArray[Any]) -> None:
        """Refuse outputs that have not one answer a row."""
        rows = arranged(golden)
        if not is_scores(rows) and not (is_value(rows) and rows.dtype.kind != "b"):
            expected = "class scores [C], one integer or one text a sample"
            raise _refuse("label", output, golden, expected)

    def decide(
        self, golden: NDArray[Any], faulty: NDArray[Any], labels: Labels | None
    ) -> NDArray[np.bool_]:
        """True where golden answers as the label says and faulty doesn't."""
        if labels is None:
            raise ConfigError("criterion label needs labels; use --criterion top1 without them")
        before, after = argmax_correct(golden, labels), argmax_correct(faulty, labels)
        if before is None or after is None:
            raise ConfigError(f"criterion label can't judge a {golden.dtype} output")
        return before & ~after

    def correct(self, output: NDArray[Any], labels: Labels) -> NDArray[np.bool_] | None:
        """Top-1 accuracy, sample by sample."""
        return argmax_correct(output, labels)
