"""Layouts of values inside control-flow bodies: each may be computed many times in a run, or never.

Bodies hand out what they compute through taps (see :func:`onnxfi.graph.tap`): first only shapes,
which are small, then, where rows have to be proven independent, elements of as many values at once
as fit.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import NDArray

from onnxfi.bits import format_of
from onnxfi.engine._independence import Mode, Verdict
from onnxfi.engine._layouts import (
    Change,
    Shape,
    by_growth,
    by_replacement,
    of_repeated_sample,
    proven,
)
from onnxfi.engine._probe import Prober
from onnxfi.engine._values import LOOKED_AT, ValueLayouts
from onnxfi.errors import BackendError, GoldenError
from onnxfi.faults import SampleLayout
from onnxfi.graph import TAPPED, GraphIndex, Model, Tap, recorded, tap
from onnxfi.outcome import RunOutputs

_GROUP_BYTES = 64 << 20
_GROWN = 3
_SCAN_OPSET = 9  # before, a Scan ran over a batch of sequences
_BRANCH = "its branch was not taken by any profiled sample"
_LOOP = "its loop ran no iteration for any profiled sample"
_EITHER = "it was computed for no profiled sample: a branch not taken, or a loop of no iterations"
_UNEQUAL = "its shape differs from one iteration to another"
_SCAN = "it is not computed in every iteration of its Scan, or not in one shape"
_BY_DATA = "its shape depends on the data"
_SOLO_ONLY = "it is computed for single samples, but not in runs of several"

Open = Callable[[Model], Prober]
"""Opens a model for probing."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Seen:
    """How a value was computed in one run: iteration and shape, each time."""

    times: tuple[tuple[int, Shape], ...]

    @property
    def shape(self) -> Shape | None:
        """The shape, if it is the same each time; None if not, or if there is none."""
        shapes = {shape for _, shape in self.times}
        return shapes.pop() if len(shapes) == 1 else None


def nested_layouts(
    model: Model, open_: Open, names: Sequence[str], verdict: Verdict, rows: int, last: int
) -> ValueLayouts:
    """Layouts of values in control-flow bodies.

    Args:
        model: The model.
        open_: Opens it, with taps, for probing.
        names: The values; tensors of known element type.
        verdict: What the outputs showed.
        rows: Rows of a fixed batch, else 1.
        last: The last sample of the workload.
    """
    found = ValueLayouts()
    index = model.index
    able = []
    for name in names:
        if not tappable(index, name):
            found.add(name, "it is computed in a body that can't be looked into")
        elif model.opset < _SCAN_OPSET and _in_scan(index, name):
            found.add(name, f"its Scan is of opset {model.opset}, which has batches of its own")
        else:
            able.append(name)
    looked_at = 2 if verdict.isolated else LOOKED_AT
    samples = np.linspace(0, last, looked_at).astype(int).tolist()
    for study in _studies(model, open_, able, found):
        _study(study, verdict, rows, samples, found)
    return found


def tappable(index: GraphIndex, name: str) -> bool:
    """Whether a value lies in bodies that can be looked into, and only in such."""
    home = index.home(name)
    around = () if home is None else index.around(home.scope)
    return all(body.owner.op_type in TAPPED and not body.owner.domain for body in around)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class _Study:
    """Values that one model was opened for, to see their records."""

    model: Model
    open: Open
    prober: Prober
    taps: Mapping[str, Tap]

    def seen(self, run: Callable[[list[str]], RunOutputs]) -> dict[str, Seen]:
        """How values are computed in a run."""
        outputs = run([each.record for each in self.taps.values()])
        return {
            name: Seen(times=tuple(recorded(outputs[each.record])))
            for name, each in self.taps.items()
        }


def _studies(
    model: Model, open_: Open, names: Sequence[str], found: ValueLayouts
) -> Iterator[_Study]:
    """The values, all at once; in halves where a run with all of them fails."""
    if not names:
        return
    tapped, taps = tap(model, names, data=False)
    try:
        prober = open_(tapped)
        prober.solo(0, [each.record for each in taps.values()])
    except (BackendError, GoldenError) as error:
        if len(names) > 1:
            half = len(names) // 2
            yield from _studies(model, open_, names[:half], found)
            yield from _studies(model, open_, names[half:], found)
            return
        found.add(names[0], _SCAN if _in_scan(model.index, names[0]) else f"not seen: {error}")
        return
    yield _Study(model=model, open=open_, prober=prober, taps=taps)


def _study(
    study: _Study, verdict: Verdict, rows: int, samples: Sequence[int], found: ValueLayouts
) -> None:
    prober, index = study.prober, study.model.index
    solo = [study.seen(partial(prober.solo, sample)) for sample in dict.fromkeys(samples)]
    runs = list(solo)
    if verdict.isolated and verdict.mode is not Mode.ALONE:
        sizes = (2, _GROWN) if verdict.mode is Mode.GROWN else (rows,)
        runs += [study.seen(partial(prober.base, size)) for size in sizes]
    whole: dict[str, SampleLayout] = {}
    for name in study.taps:
        found_here = _from_shapes([run[name] for run in runs], len(solo), verdict, rows)
        if found_here is None:
            found.add(name, _unrun(index, name))
        elif isinstance(found_here, str):
            found.add(name, found_here)
        else:
            whole[name] = found_here
    if verdict.isolated and verdict.mode is not Mode.ALONE:
        last = runs[-1]
        proofs = _proofs(study, whole, {name: last[name] for name in whole}, verdict, rows)
    else:
        proofs = dict(whole)
    for name, layout in proofs.items():
        if not isinstance(layout, str) and _repeats(index, name):
            times = [iteration for run in runs for iteration, _ in run[name].times]
            layout = replace(layout, steps=max(times) + 1)
        found.add(name, layout)


def _from_shapes(
    seen: Sequence[Seen], solo: int, verdict: Verdict, rows: int
) -> SampleLayout | str | None:
    """What shapes alone tell of a value; None if it was never computed.

    Args:
        seen: The runs: ``solo`` of single samples, then those of several.
        solo: How many are of single samples.
        verdict: What the outputs showed.
        rows: Rows of a fixed batch, else 1.
    """
    alone = [each for each in seen[:solo] if each.times]
    several = [each for each in seen[solo:] if each.times]
    if not alone and not several:
        return None
    if any(each.shape is None for each in (*alone, *several)):
        return _UNEQUAL
    shapes = {each.shape for each in alone}
    if len(shapes) > 1:
        return _BY_DATA
    if len(several) < len(seen) - solo:
        return _SOLO_ONLY
    if not several:
        return of_repeated_sample(alone[0].shape or (), rows)
    if verdict.mode is Mode.GROWN:
        return by_growth(several[0].shape or (), several[1].shape or ())
    return SampleLayout(shape=several[0].shape or (), batch_axis=None)


def _proofs(
    study: _Study,
    layouts: Mapping[str, SampleLayout],
    seen: Mapping[str, Seen],
    verdict: Verdict,
    rows: int,
) -> dict[str, SampleLayout | str]:
    """Layouts borne out by replacing samples, or why they are not."""
    samples = _GROWN if verdict.mode is Mode.GROWN else rows
    found: dict[str, SampleLayout | str] = {}
    for group in _groups(study.model.index, layouts, seen):
        tapped, taps = tap(study.model, group, data=True)
        prober = study.open(tapped)
        names = [part for name in group for part in (taps[name].record, taps[name].data) if part]
        base = prober.base(samples, names)
        changes: dict[str, list[Change]] = {name: [] for name in group}
        for sample, outputs in prober.corrupted(samples, names):
            for name in group:
                changes[name] += _changes(sample, taps[name], base, outputs)
        for name in group:
            layout = layouts[name]
            if verdict.mode is Mode.GROWN:
                found[name] = proven([layout], changes[name], samples)
            else:
                found[name] = by_replacement(layout.shape, changes[name], samples)
    return found


def _changes(sample: int, tapped: Tap, base: RunOutputs, outputs: RunOutputs) -> list[Change]:
    """What replacing a sample did to a value each time that it was computed in both runs."""
    pairs = zip(_arrays(tapped, base), _arrays(tapped, outputs), strict=False)
    return [Change.between(sample, before, after) for before, after in pairs]


def _arrays(tapped: Tap, outputs: RunOutputs) -> Iterator[NDArray[Any]]:
    """The value as it was each time that it was computed."""
    assert tapped.data is not None
    start = 0
    for _, shape in recorded(outputs[tapped.record]):
        stop = start + math.prod(shape)
        yield outputs[tapped.data][start:stop].reshape(shape)
        start = stop


def _groups(
    index: GraphIndex, layouts: Mapping[str, SampleLayout], seen: Mapping[str, Seen]
) -> Iterator[list[str]]:
    """Values whose elements are fetched together."""
    group: list[str] = []
    held = 0
    for name in layouts:
        element = index.element_of(name)
        width = 8 if element is None else format_of(element).value.itemsize
        size = width * sum(math.prod(shape) for _, shape in seen[name].times)
        if group and held + size > _GROUP_BYTES:
            yield group
            group, held = [], 0
        group.append(name)
        held += size
    if group:
        yield group


def _unrun(index: GraphIndex, name: str) -> str:
    """Why a value was never computed."""
    home = index.home(name)
    around = () if home is None else index.around(home.scope)
    repeats = {body.repeats for body in around}
    if repeats == {True}:
        return _LOOP
    return _BRANCH if repeats == {False} else _EITHER


def _repeats(index: GraphIndex, name: str) -> bool:
    home = index.home(name)
    return home is not None and any(body.repeats for body in index.around(home.scope))


def _in_scan(index: GraphIndex, name: str) -> bool:
    home = index.home(name)
    around = () if home is None else index.around(home.scope)
    return any(body.owner.op_type == "Scan" for body in around)
