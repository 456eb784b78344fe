"""From golden and faulty outputs to outcomes: masked, due, critical, tolerable, in that order."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from onnxfi.errors import ConfigError
from onnxfi.faults import SampleLayout
from onnxfi.outcome._compare import differs, has_nonfinite, turned_nonfinite
from onnxfi.outcome._counts import Outcome, OutcomeCounts
from onnxfi.outcome._criterion import AllOutputs, BoundCriterion
from onnxfi.outcome._metric import measured
from onnxfi.outcome._outputs import RunOutputs, per_sample, presented, samples_first, samples_in
from onnxfi.outcome._topk import arranged, is_scores
from onnxfi.workload import Labels

Layouts: TypeAlias = Mapping[str, SampleLayout]
Flags: TypeAlias = NDArray[np.bool_]


def classify(
    golden: RunOutputs,
    faulty: RunOutputs,
    layouts: Layouts,
    bound: BoundCriterion,
    labels: Labels | None = None,
    samples: int | None = None,
) -> OutcomeCounts:
    """Outcome counts of one batch.

    Args:
        golden: Fault-free outputs by name.
        faulty: Outputs of the same batch under the scenario.
        layouts: Where samples lie in each output. One without a batch axis counts for all samples.
        bound: Criterion, the output it reads, and the metrics to sum.
        labels: The right answers (samples,), or None.
        samples: Real samples of a padded batch; None for as many as there are labels, or as the
            outputs hold.

    Raises:
        ConfigError: The user's criterion or a metric misbehaves.
    """
    count = _count(golden, layouts, labels, samples)
    codes = classify_samples(golden, faulty, layouts, bound, labels, count)
    right = None
    if labels is not None:
        right = correct_samples(golden, layouts, bound, labels)
        if right is not None:  # golden has answers, so the faulty run has, if of the same shape
            same = golden[bound.output].shape == faulty[bound.output].shape
            right = correct_samples(faulty, layouts, bound, labels) if same else right & False
    answers = None if labels is None else labels[:count]
    pair = _by_sample(golden, faulty, layouts, count) if bound.metrics else None
    return OutcomeCounts.of(codes, right, measured(bound.metrics, pair, answers, count))


def classify_samples(
    golden: RunOutputs,
    faulty: RunOutputs,
    layouts: Layouts,
    bound: BoundCriterion,
    labels: Labels | None = None,
    samples: int | None = None,
) -> NDArray[np.int8]:
    """Outcome of every sample, int8 (samples,) of :class:`Outcome`; arguments as `classify`."""
    count = _count(golden, layouts, labels, samples)
    changed = np.zeros(count, np.bool_)
    nonfinite = np.zeros(count, np.bool_)
    for name, reference in golden.items():
        bits, infinite = _compare(reference, faulty[name], layouts[name], count)
        changed |= bits
        nonfinite |= infinite
    codes = np.zeros(count, np.int8)
    if not changed.any():
        return codes
    answers = None if labels is None else labels[:count]
    if isinstance(bound.criterion, AllOutputs):
        decided = _decided_by_all(golden, faulty, layouts, bound, answers, count)
    else:
        layout, pair = layouts[bound.output], (golden[bound.output], faulty[bound.output])
        decided = _decided(*pair, layout, bound, answers, count)
    codes[changed] = Outcome.TOLERABLE
    codes[changed & decided] = Outcome.CRITICAL
    codes[changed & nonfinite] = Outcome.DUE_NONFINITE
    return codes


def correct_samples(
    outputs: RunOutputs, layouts: Layouts, bound: BoundCriterion, labels: Labels
) -> Flags | None:
    """Which samples are answered as labelled.

    Args:
        outputs: Outputs of one run, golden or faulty.
        layouts: Where samples lie in each output.
        bound: Criterion and the output it reads.
        labels: The right answers (samples,); their number cuts off padding.

    Returns:
        bool (samples,); None if the criterion's output has no such answer.
    """
    layout = layouts[bound.output]
    if layout.batch_axis is None or layout.rows != 1:
        return None
    rows = presented(outputs[bound.output], layout, len(labels), by_row=True)
    return bound.criterion.correct(rows, labels)


def answered(
    outputs: RunOutputs, layouts: Layouts, bound: BoundCriterion, samples: int
) -> NDArray[np.int64] | None:
    """Which class has the highest score, int64 (samples,).

    Args:
        outputs: Outputs of one run.
        layouts: Where samples lie in each output.
        bound: Says which output carries the decision.
        samples: Real samples of the run.

    Returns:
        None if that output is not one row of scores a sample.
    """
    layout, values = layouts[bound.output], outputs[bound.output]
    if layout.batch_axis is None or layout.rows != 1:
        return None
    rows = arranged(presented(values, layout, samples, by_row=True))
    return np.argmax(rows, axis=1) if is_scores(rows) and len(rows) == samples else None


def _count(
    outputs: RunOutputs, layouts: Layouts, labels: Labels | None, samples: int | None
) -> int:
    if samples is not None:
        return samples
    if labels is not None:
        return len(labels)
    held = (samples_in(array, layouts[name]) for name, array in outputs.items())
    return next((count for count in held if count is not None), 1)


def _compare(
    golden: NDArray[np.generic], faulty: NDArray[np.generic], layout: SampleLayout, count: int
) -> tuple[Flags, Flags]:
    """Flags of samples: some bit differs; something is non-finite where golden is finite."""
    if golden.shape != faulty.shape:
        # A fault changed how many results a data-dependent output has, so elements have no
        # counterpart in golden, and no sample's part can be told from another's.
        nonfinite = has_nonfinite(faulty) and not has_nonfinite(golden)
        return np.ones(count, np.bool_), np.full(count, nonfinite)
    mine, theirs = samples_first(golden, layout, count), samples_first(faulty, layout, count)
    bits, infinite = differs(mine, theirs), turned_nonfinite(mine, theirs)
    return per_sample(bits, layout, count), per_sample(infinite, layout, count)


def _decided(
    golden: NDArray[np.generic],
    faulty: NDArray[np.generic],
    layout: SampleLayout,
    bound: BoundCriterion,
    labels: Labels | None,
    count: int,
) -> Flags:
    if golden.shape != faulty.shape:  # another number of answers is another decision
        return np.ones(count, np.bool_)
    by_row = bound.criterion.by_row
    mine = presented(golden, layout, count, by_row=by_row)
    theirs = presented(faulty, layout, count, by_row=by_row)
    return per_sample(bound.criterion.decide(mine, theirs, labels), layout, count)


def _decided_by_all(
    golden: RunOutputs,
    faulty: RunOutputs,
    layouts: Layouts,
    bound: BoundCriterion,
    labels: Labels | None,
    count: int,
) -> Flags:
    pair = _by_sample(golden, faulty, layouts, count)
    if pair is None:
        return np.ones(count, np.bool_)
    changed = np.asarray(bound.criterion.decide(*pair, labels))
    if changed.dtype != np.bool_ or changed.shape != (count,):
        raise ConfigError(
            f"criterion {bound.criterion.spec()} returned {changed.dtype} {list(changed.shape)}, "
            f"expected bool [{count}], one a sample"
        )
    return changed


def _by_sample(
    golden: RunOutputs, faulty: RunOutputs, layouts: Layouts, count: int
) -> tuple[RunOutputs, RunOutputs] | None:
    """All outputs with all samples on axis 0; None where a fault changed a shape."""

    def of(name: str, value: NDArray[np.generic]) -> NDArray[np.generic]:
        first = samples_first(value, layouts[name], count)
        return np.broadcast_to(first, (count, *first.shape[1:]))  # some exist once per run

    if any(golden[name].shape != faulty[name].shape for name in golden):
        return None
    mine = {name: of(name, value) for name, value in golden.items()}
    return mine, {name: of(name, faulty[name]) for name in golden}
