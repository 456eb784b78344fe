"""Which criterion reads which output: the user's wish, or the only one that fits."""

from __future__ import annotations

import difflib
from collections.abc import Callable, Collection, Mapping
from functools import partial
from typing import Any, cast

from numpy.typing import NDArray

from onnxfi.errors import ConfigError
from onnxfi.faults import SampleLayout
from onnxfi.outcome._criterion import (
    AllOutputs,
    BoundCriterion,
    Criterion,
    EachStep,
    FunctionCriterion,
    steps_as_rows,
)
from onnxfi.outcome._outputs import RunOutputs, presented
from onnxfi.outcome._registry import criterion_forms, parse_criterion
from onnxfi.outcome._topk import (
    LabelLost,
    Top1,
    TopK,
    arranged,
    fits_labels,
    is_decided,
    is_scores,
    is_text,
    is_value,
)
from onnxfi.workload import Labels


def choose_criterion(
    golden: RunOutputs,
    layouts: Mapping[str, SampleLayout],
    *,
    requested: str | Criterion | Callable[..., Any] = "auto",
    output: str | None = None,
    labels: Labels | None = None,
    states: Collection[str] | None = None,
) -> BoundCriterion:
    """The criterion and the output that carries the decision.

    ``auto`` is ``top1`` on the only output that holds one integer or text a sample, which is the
    model's own answer; where there is none, on the only one that holds class scores (B, C >= 2).
    Outputs that labels, if given, can't be compared with are passed over. A criterion that is asked
    for also needs ``output``, unless just one output suits it.

    Args:
        golden: Fault-free outputs of a batch of any size; run-time shapes count, not declared ones.
        layouts: Where samples lie in each output.
        requested: ``auto``, a text of :func:`parse_criterion`, a criterion, or a function
            ``f(golden, faulty, labels)`` that returns bool (B,).
        output: Name of the output, or None.
        labels: The workload's labels, or None.
        states: Of a streaming model, the outputs that are fed back. They are no answers, unless
            ``output`` names one; the others have steps on axis 0, and a criterion that judges by
            row judges each step. None for a model without state.

    Raises:
        ConfigError: No output or several fit, the named one doesn't exist or doesn't fit, or
            ``label`` is asked for without labels, or labels are words where the output has
            numbers, or the other way about.
    """
    if output is not None and output not in golden:
        near = difflib.get_close_matches(output, golden, n=1)
        hint = f"did you mean '{near[0]}'?" if near else "they are:"
        raise ConfigError(f"the model has no output '{output}'; {hint} {_listing(golden)}")
    stepped = states is not None and output not in states
    if stepped:
        golden = {name: value for name, value in golden.items() if name not in (states or ())}
    if isinstance(requested, str) and requested == "auto":
        decides = partial(_decides, stepped=stepped)
        names = [output] if output else [n for n in golden if decides(golden[n], layouts[n])]
        if not names:
            raise ConfigError(_undecided(golden, layouts, stepped=stepped))
        criterion: Criterion = EachStep(Top1()) if stepped else Top1()
        if output is None:
            names = _preferred(criterion, names, golden, layouts, labels)
        return _only(criterion, names, golden, layouts, labels)
    criterion = _resolve(requested)
    if stepped and criterion.by_row and not isinstance(criterion, EachStep):
        criterion = EachStep(criterion)
    if _of_labels(criterion) and labels is None:
        raise ConfigError("criterion label needs labels in the inputs; without them use top1")
    if isinstance(criterion, AllOutputs):
        answer = output or next(iter(golden))
        return BoundCriterion(criterion=criterion, output=answer, reason="of all outputs")
    names = [output] if output else _suited(criterion, golden, layouts)
    return _only(criterion, names, golden, layouts, labels)


def _resolve(requested: str | Criterion | Callable[..., Any]) -> Criterion:
    if isinstance(requested, str):
        return parse_criterion(requested)
    if hasattr(requested, "decide"):
        return cast(Criterion, requested)
    if callable(requested):
        return FunctionCriterion(requested)
    raise ConfigError(
        f"a criterion is a text ({criterion_forms()}), a criterion or a function of golden, faulty"
        f" and labels, got {type(requested).__name__}"
    )


def _only(
    criterion: Criterion,
    names: list[str],
    golden: RunOutputs,
    layouts: Mapping[str, SampleLayout],
    labels: Labels | None,
) -> BoundCriterion:
    spec = criterion.spec()
    if not names:
        raise ConfigError(
            f"no output of the model has a decision for criterion {spec}: {_listing(golden)}; use "
            "--criterion tolerance:ABS[,REL] for regression values, images and the like"
        )
    if len(names) > 1:
        raise ConfigError(
            f"several outputs suit criterion {spec}: {_listing(golden, names)}; name the one that "
            "carries the decision with --criterion-output"
        )
    (name,) = names
    _check(criterion, name, golden[name], layouts[name])
    rows = _judged(criterion, golden[name], layouts[name])
    _check_labels(criterion, name, rows, labels)
    return BoundCriterion(criterion=criterion, output=name, reason=_in_words(criterion, rows))


def _preferred(
    criterion: Criterion,
    names: list[str],
    golden: RunOutputs,
    layouts: Mapping[str, SampleLayout],
    labels: Labels | None,
) -> list[str]:
    """Of outputs that could each be the answer, those that say it outright, if any do."""
    rows = {name: _judged(criterion, golden[name], layouts[name]) for name in names}
    fitting = [name for name in names if labels is None or fits_labels(rows[name], labels)] or names
    return [name for name in fitting if is_value(rows[name])] or fitting


def _judged(criterion: Criterion, array: NDArray[Any], layout: SampleLayout) -> NDArray[Any]:
    """An output as a criterion sees it, steps as rows."""
    held = 1 if layout.batch_axis is None else array.shape[layout.batch_axis] // layout.rows
    rows = presented(array, layout, held, by_row=criterion.by_row)
    return steps_as_rows(rows) if isinstance(criterion, EachStep) else rows


def _inner(criterion: Criterion) -> Criterion:
    return criterion.inner if isinstance(criterion, EachStep) else criterion


def _check_labels(
    criterion: Criterion, name: str, rows: NDArray[Any], labels: Labels | None
) -> None:
    """Refuse labels that answers can't be compared with."""
    if labels is None or not isinstance(_inner(criterion), Top1 | TopK | LabelLost):
        return
    if not fits_labels(rows, labels):
        mine, theirs = ("words", "numbers") if is_text(labels) else ("numbers", "words")
        raise ConfigError(
            f"labels are {mine}, but output '{name}' answers in {theirs} ({rows.dtype}); give"
            " labels of its kind, or name another output with --criterion-output"
        )


def _in_words(criterion: Criterion, rows: NDArray[Any]) -> str:
    """What of an output is judged."""
    inner = _inner(criterion)
    if not isinstance(inner, Top1):
        return ""
    each = "" if rows.size == len(rows) else "each of "
    if is_decided(rows):
        return f"{each}its value{'s' if each else ''}, equal or not"
    scores = arranged(rows, inner.axis)
    places = scores.size // (len(scores) * scores.shape[-1])
    at = f" at each of {places} positions" if places > 1 else ""
    return f"the largest of {scores.shape[-1]} scores{at}"


def _of_labels(criterion: Criterion) -> bool:
    return isinstance(_inner(criterion), LabelLost)


def _undecided(
    golden: RunOutputs, layouts: Mapping[str, SampleLayout], *, stepped: bool = False
) -> str:
    """What to do where no output is a classifier's answer beyond doubt."""
    which = " and --criterion-output NAME" if len(golden) > 1 else ""
    ways = (
        f"use --criterion tolerance:ABS[,REL]{which} for regression values, images and the like, "
        f"--criterion threshold:VALUE{which} for detectors"
    )
    try:
        scores = _suited(EachStep(Top1()) if stepped else Top1(), golden, layouts)
    except ConfigError:
        scores = []
    if scores:
        named = ", ".join(f"'{name}'" for name in scores)
        ways += f", or --criterion top1{which} if the last axis of {named} holds class scores"
    return f"no output of the model is plainly a class decision: {_listing(golden)}; {ways}"


def _decides(array: NDArray[Any], layout: SampleLayout, *, stepped: bool = False) -> bool:
    """True for what is a classifier's answer beyond doubt: used without being asked for."""
    if layout.batch_axis is None or layout.rows != 1:
        return False
    rows = presented(array, layout, array.shape[layout.batch_axis], by_row=True)
    if stepped:
        rows = steps_as_rows(rows)
    return is_scores(rows) or (is_value(rows) and rows.dtype.kind != "b")


def _suited(
    criterion: Criterion, golden: RunOutputs, layouts: Mapping[str, SampleLayout]
) -> list[str]:
    names = []
    for name, array in golden.items():
        try:
            _check(criterion, name, array, layouts[name])
        except ConfigError as refusal:
            if len(golden) == 1:  # the only output: its own refusal says more than "none fits"
                raise refusal
        else:
            names.append(name)
    return names


def _check(criterion: Criterion, name: str, array: NDArray[Any], layout: SampleLayout) -> None:
    one_row = layout.batch_axis is not None and layout.rows == 1
    if _of_labels(criterion) and not one_row:
        raise ConfigError(
            f"criterion label can't judge output '{name}': it has not one row a sample"
        )
    held = 1 if layout.batch_axis is None else array.shape[layout.batch_axis] // layout.rows
    criterion.check(name, presented(array, layout, held, by_row=criterion.by_row))


def _listing(golden: RunOutputs, names: list[str] | None = None) -> str:
    chosen = golden if names is None else names
    return ", ".join(
        f"'{name}' ({golden[name].dtype} {list(golden[name].shape)})" for name in chosen
    )
