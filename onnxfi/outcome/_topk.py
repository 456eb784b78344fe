"""Classification criteria: top-1, top-5 and label."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from onnxfi.errors import ConfigError

_TEXT = "OSUT"  # numpy kinds of string tensors


def is_value(rows: NDArray[Any]) -> bool:
    """True if each row is itself a decision: one integer, boolean or text."""
    return _one_entry(rows) and rows.dtype.kind in "iub" + _TEXT


def is_scores(rows: NDArray[Any]) -> bool:
    """True for rows of at least two class scores, (R, C)."""
    return rows.ndim == 2 and rows.shape[1] >= 2 and has_order(rows)


def has_order(rows: NDArray[Any]) -> bool:
    """True for real numbers (not booleans, text or complex), which have a largest one."""
    return rows.dtype.kind not in "bc" + _TEXT


def _one_entry(rows: NDArray[Any]) -> bool:
    return rows.size == len(rows)


def _decision(rows: NDArray[Any]) -> NDArray[Any]:
    """The value itself, or the index of the largest score along the last axis (first of equals)."""
    if is_value(rows):
        return rows.reshape(len(rows))
    return np.asarray(np.argmax(rows, axis=-1))


def _unordered(rows: NDArray[Any]) -> NDArray[np.bool_]:
    """bool, without the last axis: True where a NaN makes the largest score undefined."""
    if is_value(rows) or rows.dtype.kind in "iu":
        return np.zeros(1, np.bool_)
    nan = np.isnan(rows)
    return np.asarray(nan.any(axis=-1)) if nan.any() else np.zeros(1, np.bool_)


def argmax_correct(rows: NDArray[Any], labels: NDArray[np.int64]) -> NDArray[np.bool_] | None:
    """Where the decision is the label, bool (R,); None unless rows are scores or integers."""
    if not is_scores(rows) and not (is_value(rows) and rows.dtype.kind in "iu"):
        return None
    return np.asarray((_decision(rows) == labels) & ~_unordered(rows))


def _fits(rows: NDArray[Any]) -> bool:
    return is_value(rows) or (rows.ndim in (2, 3) and rows.shape[-1] >= 2 and has_order(rows))


def _refuse(spec: str, output: str, golden: NDArray[Any], expected: str) -> ConfigError:
    shape = ", ".join(map(str, golden.shape[1:]))
    return ConfigError(
        f"criterion {spec} can't judge output '{output}' ({golden.dtype}, [{shape}] a row): "
        f"expected {expected}; use --criterion tolerance:ABS[,REL] or a function of your own"
    )


@dataclass(frozen=True, slots=True)
class Top1:
    """The class with the largest score changed (SDC-1); NaN never counts as agreement.

    Rows are (C,) scores, (T, C) scores of a sequence of which any may change, or one integer that
    is the decision itself.
    """

    by_row: bool = field(default=True, init=False)

    def spec(self) -> str:
        """``top1``."""
        return "top1"

    def check(self, output: str, golden: NDArray[Any]) -> None:
        """Refuse regression values, images and other outputs without classes."""
        if not _fits(golden):
            raise _refuse("top1", output, golden, "class scores along the last axis or an integer")

    def decide(
        self,
        golden: NDArray[Any],
        faulty: NDArray[Any],
        labels: NDArray[np.int64] | None,  # noqa: ARG002
    ) -> NDArray[np.bool_]:
        """True where the largest score is another one, or a NaN leaves it undefined."""
        changed = _decision(golden) != _decision(faulty)
        changed = changed | _unordered(golden) | _unordered(faulty)
        return np.asarray(changed.reshape(len(golden), -1).any(axis=1))

    def correct(self, output: NDArray[Any], labels: NDArray[np.int64]) -> NDArray[np.bool_] | None:
        """Top-1 accuracy, sample by sample."""
        return argmax_correct(output, labels)


@dataclass(frozen=True, slots=True)
class TopK:
    """The golden top-1 class is no longer among the k largest scores (SDC-5 for k = 5)."""

    k: int = 5
    by_row: bool = field(default=True, init=False)

    def spec(self) -> str:
        """``top5`` for k = 5."""
        return f"top{self.k}"

    def check(self, output: str, golden: NDArray[Any]) -> None:
        """Refuse outputs with k classes or fewer: nothing could leave the k largest."""
        if not is_scores(golden) or golden.shape[1] <= self.k:
            expected = f"scores of more than {self.k} classes along the last of two axes"
            raise _refuse(self.spec(), output, golden, expected)

    def decide(
        self,
        golden: NDArray[Any],
        faulty: NDArray[Any],
        labels: NDArray[np.int64] | None,  # noqa: ARG002
    ) -> NDArray[np.bool_]:
        """True where golden's best class fell out of faulty's k best."""
        kept = self._among(faulty, np.argmax(golden, axis=1))
        return np.asarray(~kept | _unordered(golden))

    def correct(self, output: NDArray[Any], labels: NDArray[np.int64]) -> NDArray[np.bool_] | None:
        """Top-k accuracy, sample by sample."""
        known = (labels >= 0) & (labels < output.shape[1])
        return np.asarray(known & self._among(output, np.where(known, labels, 0)))

    def _among(self, scores: NDArray[Any], classes: NDArray[np.int64]) -> NDArray[np.bool_]:
        own = np.take_along_axis(scores, classes[:, None], axis=1)
        earlier = np.arange(scores.shape[1]) < classes[:, None]
        ahead = (scores > own) | ((scores == own) & earlier)
        return np.asarray((np.count_nonzero(ahead, axis=1) < self.k) & ~_unordered(scores))


@dataclass(frozen=True, slots=True)
class LabelLost:
    """A right answer turned wrong; a wrong one that stays wrong or turns right is no change."""

    by_row: bool = field(default=True, init=False)

    def spec(self) -> str:
        """``label``."""
        return "label"

    def check(self, output: str, golden: NDArray[Any]) -> None:
        """Refuse outputs that have not one answer a row."""
        if not is_scores(golden) and not (is_value(golden) and golden.dtype.kind in "iu"):
            raise _refuse("label", output, golden, "class scores [C] or one integer a sample")

    def decide(
        self, golden: NDArray[Any], faulty: NDArray[Any], labels: NDArray[np.int64] | None
    ) -> NDArray[np.bool_]:
        """True where golden answers as the label says and faulty doesn't."""
        if labels is None:
            raise ConfigError("criterion label needs labels; use --criterion top1 without them")
        before, after = argmax_correct(golden, labels), argmax_correct(faulty, labels)
        if before is None or after is None:
            raise ConfigError(f"criterion label can't judge a {golden.dtype} output")
        return before & ~after

    def correct(self, output: NDArray[Any], labels: NDArray[np.int64]) -> NDArray[np.bool_] | None:
        """Top-1 accuracy, sample by sample."""
        return argmax_correct(output, labels)
