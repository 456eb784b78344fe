"""What share of each sample's answer is lost: 1 where it failed, less where its margin shrank."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from onnxfi.faults import SampleLayout
from onnxfi.outcome._classify import Layouts, classify_samples, correct_samples
from onnxfi.outcome._counts import Outcome
from onnxfi.outcome._criterion import BoundCriterion, Criterion, EachStep, steps_as_rows
from onnxfi.outcome._outputs import RunOutputs, presented
from onnxfi.outcome._threshold import Threshold
from onnxfi.outcome._tolerance import Tolerance
from onnxfi.outcome._topk import (
    LabelLost,
    Top1,
    TopK,
    arranged,
    class_numbers,
    has_order,
    is_decided,
)
from onnxfi.workload import Labels

# A sample whose margin is nearly gone tells of others, not looked at, that have less of it. The
# power keeps margins that hardly moved from adding up to a failure; the factor makes ten answers
# that were just kept count as one that was lost. That puts those faults in order of which none
# loses an answer, and hardly blurs what lost answers say: with 0.5 it does (LeNet-5, int8
# activations: the variance of estimates doubles).
_POWER = 4.0
_MOST = 0.1

Shares = NDArray[np.float64]


def lost_shares(
    golden: RunOutputs,
    faulty: RunOutputs | None,
    layouts: Layouts,
    criterion: BoundCriterion,
    labels: Labels | None = None,
    *,
    samples: int,
) -> Shares:
    """What is lost of each sample's answer.

    A sample that is due or critical has lost all. With labels, as where the drop of the accuracy
    is what counts, only right answers can be lost, by becoming wrong or due (see
    :func:`at_stake`), and one that was wrong and becomes right makes up for one that is lost: the
    sum over the samples, divided by the number at stake, is the drop.

    Of others something is lost where the criterion knows how far an answer is from another one:
    the margin between the answer's score and its rival's (top-k, label), the distance to the
    threshold, the part of the tolerance that is used up. It counts as the 4th power of the part
    that is gone, times 0.1. A user's own function, and answers without scores, know no margin.

    Args:
        golden: Fault-free outputs by name.
        faulty: Outputs of the same batch with something changed; None if the run gave none.
        layouts: Where samples lie in each output.
        criterion: What a changed decision is, and the output that it reads.
        labels: The right answers (samples,), or None.
        samples: Real samples of the batch.

    Returns:
        float64 (samples,), 0..1, or -1 where a wrong answer became right.

    Raises:
        ConfigError: The user's criterion misbehaves.
    """
    if faulty is None:
        return at_stake(golden, layouts, criterion, labels, samples).astype(np.float64)
    codes = classify_samples(golden, faulty, layouts, criterion, labels, samples)
    before, after = golden[criterion.output], faulty[criterion.output]
    same_shape = before.shape == after.shape
    failed, open_ones = codes >= Outcome.CRITICAL, codes == Outcome.TOLERABLE
    gained = np.zeros(samples, np.bool_)
    right = _right(golden, layouts, criterion, labels, samples)
    if right is not None:
        found = _right(faulty, layouts, criterion, labels, samples) if same_shape else None
        changed, due = codes != Outcome.MASKED, codes >= Outcome.DUE_NONFINITE
        kept = np.zeros(samples, np.bool_) if found is None else found & ~due
        failed, open_ones = right & changed & ~kept, right & changed & kept
        gained = ~right & kept
    lost = np.where(failed, 1.0, np.where(gained, -1.0, 0.0))
    if open_ones.any() and same_shape:
        layout, rule = layouts[criterion.output], criterion.criterion
        pair = [presented(each, layout, samples, by_row=rule.by_row) for each in (before, after)]
        given = None if labels is None else labels[:samples]
        gone = _per_sample(_gone(rule, pair[0], pair[1], given), layout, samples)
        lost[open_ones] = _MOST * gone[open_ones] ** _POWER
    return lost


def at_stake(
    golden: RunOutputs,
    layouts: Layouts,
    criterion: BoundCriterion,
    labels: Labels | None,
    samples: int,
) -> NDArray[np.bool_]:
    """Which samples have an answer to lose: with labels those that are answered right.

    Args:
        golden: Fault-free outputs by name.
        layouts: Where samples lie in each output.
        criterion: The output that carries the answer.
        labels: The right answers (samples,), or None.
        samples: Real samples of the batch.

    Returns:
        bool (samples,); all True without labels, or where the output has no such answer.
    """
    right = _right(golden, layouts, criterion, labels, samples)
    return np.ones(samples, np.bool_) if right is None else right


def _right(
    outputs: RunOutputs,
    layouts: Layouts,
    criterion: BoundCriterion,
    labels: Labels | None,
    samples: int,
) -> NDArray[np.bool_] | None:
    """Which samples are answered right; None if nothing tells."""
    if labels is None:
        return None
    return correct_samples(outputs, layouts, criterion, labels[:samples])


def _per_sample(gone: Shares, layout: SampleLayout, samples: int) -> Shares:
    """What is gone of rows as what is gone of samples: the most of any."""
    if len(gone) == samples:
        return gone
    if layout.batch_axis is None:
        return np.full(samples, gone.max(initial=0.0))
    return np.asarray(gone.reshape(samples, layout.rows).max(axis=1))


def _gone(
    criterion: Criterion, golden: NDArray[Any], faulty: NDArray[Any], labels: Labels | None
) -> Shares:
    """Part of the distance to another decision that is gone, float64 (rows,), 0..1."""
    if isinstance(criterion, EachStep):
        repeated = None if labels is None else np.repeat(labels, golden.shape[1])
        steps = _gone(criterion.inner, steps_as_rows(golden), steps_as_rows(faulty), repeated)
        return _most(steps, len(golden))
    with np.errstate(invalid="ignore", over="ignore", divide="ignore"):
        if golden.dtype.kind == "c":
            part = np.zeros(golden.shape)
        elif isinstance(criterion, (Tolerance, Threshold)):
            part = _of_values(criterion, golden.astype(np.float64), faulty.astype(np.float64))
        else:
            part = _of_scores(criterion, golden, faulty, labels)
        # Undefined where an answer is no number in both runs, or had no margin: nothing to lose.
        known = np.clip(np.nan_to_num(part, nan=0.0, posinf=0.0, neginf=0.0), 0.0, 1.0)
    return _most(known, len(golden))


def _of_values(
    criterion: Tolerance | Threshold, golden: NDArray[np.float64], faulty: NDArray[np.float64]
) -> Shares:
    if isinstance(criterion, Tolerance):
        room = criterion.absolute + criterion.relative * np.abs(golden)
        return np.asarray(np.abs(faulty - golden) / room)
    side = np.where(golden >= criterion.value, 1.0, -1.0)
    return np.asarray(side * (golden - faulty) / np.abs(golden - criterion.value))


def _of_scores(
    criterion: Criterion, golden: NDArray[Any], faulty: NDArray[Any], labels: Labels | None
) -> Shares:
    rivals = criterion.k if isinstance(criterion, TopK) else 1
    judged = isinstance(criterion, (Top1, TopK, LabelLost))
    axis = criterion.axis if isinstance(criterion, Top1) else None
    golden, faulty = arranged(golden, axis), arranged(faulty, axis)
    if not judged or is_decided(golden) or not has_order(golden) or golden.shape[-1] <= rivals:
        return np.zeros(len(golden))
    chosen = np.argmax(golden, axis=-1)
    if isinstance(criterion, LabelLost):
        # Where golden is wrong, or the label no class of the model, nothing can be lost.
        assert labels is not None  # such a criterion was refused before
        numbers = class_numbers(labels)
        known = (numbers >= 0) & (numbers < golden.shape[-1])
        chosen = np.where(known, numbers, 0)
    before = _margin(golden, chosen, rivals)
    after = _margin(faulty, chosen, rivals)
    part = np.where(before > 0, (before - after) / before, 0.0)
    return part * known if isinstance(criterion, LabelLost) else part


def _margin(scores: NDArray[Any], chosen: NDArray[np.int64], rivals: int) -> Shares:
    """How far the chosen class is ahead of the best that would have to pass it."""
    others = scores.astype(np.float64)
    own = np.take_along_axis(others, chosen[..., None], axis=-1)
    np.put_along_axis(others, chosen[..., None], -np.inf, axis=-1)
    rival = np.partition(others, -rivals, axis=-1)[..., -rivals]
    margin: Shares = own[..., 0] - rival
    return margin


def _most(part: Shares, rows: int) -> Shares:
    return np.asarray(part.reshape(rows, -1).max(axis=1, initial=0.0))
