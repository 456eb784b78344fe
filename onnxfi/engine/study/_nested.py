"""Layouts of values inside control-flow bodies: each may be computed many times in a run, or never.

Bodies hand out what they compute through taps (see :func:`onnxfi.graph.tap`): first only shapes,
which are small, then, where rows have to be proven independent, elements of as many values at once
as fit.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from onnxfi.bits import format_of
from onnxfi.engine.runtime import changed
from onnxfi.engine.study._independence import Mode, Verdict
from onnxfi.engine.study._layouts import (
    Replacement,
    Shape,
    by_growth,
    by_replacement,
    of_repeated_sample,
    proven,
)
from onnxfi.engine.study._probe import Prober
from onnxfi.engine.study._values import LOOKED_AT, ValueLayouts
from onnxfi.errors import BackendError, GoldenError
from onnxfi.faults import PORT_TYPES, SampleLayout
from onnxfi.graph import TAPPED, GraphIndex, Model, Tap, recorded, tap
from onnxfi.outcome import RunOutputs

_GROUP_BYTES = 64 << 20
_LARGEST_BYTES = 512 << 20
_GROWN = 3
_SCAN_OPSET = 9  # before, a Scan ran over a batch of sequences
_BRANCH = "its branch was not taken by any profiled sample"
_LOOP = "its loop ran no iteration for any profiled sample"
_EITHER = "it was computed for no profiled sample: a branch not taken, or a loop of no iterations"
_UNEQUAL = "its shape differs from one iteration to another"
_SCAN = "its loop, in a Scan, does not run equally often in each iteration of that"
_LARGE = "too large to be looked at: it has more than 512 MB in a run of a few samples"
_RANK = "it has too many dimensions to be looked at"
_BY_DATA = "its shape depends on the data"
_SOLO_ONLY = "it is computed for single samples, but not in runs of several"

Open = Callable[[Model], Prober]
"""Opens a model for probing."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Seen:
    """How a value was computed in one run.

    Attributes:
        times: Iteration and shape, each time.
        turns: How often it could have been, with the branches that were not taken.
    """

    times: tuple[tuple[int, Shape], ...]
    turns: int

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
        elif index.element_of(name) not in PORT_TYPES:
            found.add(name, "no operator can hand it out")
        elif model.opset < _SCAN_OPSET and _in_scan(index, name):
            found.add(name, f"its Scan is of opset {model.opset}, which has batches of its own")
        else:
            able.append(name)
    looked_at = 2 if verdict.isolated else LOOKED_AT
    samples = dict.fromkeys(np.linspace(0, last, looked_at).astype(int).tolist())
    bodies = _Bodies(model=model, open=open_, verdict=verdict, rows=rows, samples=tuple(samples))
    for study in bodies.studies(able, found):
        _layouts(bodies, study, found)
    return found


def tappable(index: GraphIndex, name: str) -> bool:
    """Whether a value lies in bodies that can be looked into, and only in such."""
    around = index.around(_scope(index, name))
    return all(body.owner.op_type in TAPPED and not body.owner.domain for body in around)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class _Study:
    """Values that one model was opened for, and how they were computed in some runs.

    Attributes:
        names: The values.
        solo: In runs of single samples.
        several: In runs of several; the last one is that which replaced samples are compared with.
    """

    names: tuple[str, ...]
    solo: tuple[Mapping[str, Seen], ...]
    several: tuple[Mapping[str, Seen], ...]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class _Bodies:
    """The bodies of a model, to be looked into.

    Attributes:
        model: The model.
        open: Opens it for probing.
        verdict: What its outputs showed.
        rows: Rows of a fixed batch, else 1.
        samples: Samples that run singly.
    """

    model: Model
    open: Open
    verdict: Verdict
    rows: int
    samples: Sequence[int]

    @property
    def together(self) -> tuple[int, ...]:
        """Samples of the runs that hold several; none where samples can't share a run."""
        if not self.verdict.isolated or self.verdict.mode is Mode.ALONE:
            return ()
        return (2, _GROWN) if self.verdict.mode is Mode.GROWN else (self.rows,)

    def studies(self, names: Sequence[str], found: ValueLayouts) -> Iterator[_Study]:
        """The values, all at once; apart where a run with all of them fails."""
        if not names:
            return
        try:
            yield self._study(names)
            return
        except (BackendError, GoldenError) as error:
            failure = error
        index = self.model.index
        by_scope: dict[str, list[str]] = {}
        for name in names:
            by_scope.setdefault(_scope(index, name), []).append(name)
        parts = list(by_scope.values())
        # What one body computes is there at the same times.
        if len(parts) == 1 and len(names) > 1 and not _in_scan(index, names[0]):
            half = len(names) // 2
            parts = [list(names[:half]), list(names[half:])]
        if len(parts) > 1:
            for part in parts:
                yield from self.studies(part, found)
            return
        for name in names:
            found.add(name, _SCAN if _in_scan(index, name) else f"not seen: {failure}")

    def _study(self, names: Sequence[str]) -> _Study:
        tapped, taps = tap(self.model, names)
        prober = self.open(tapped)
        records = [each.record for each in taps.values()]

        def seen(outputs: RunOutputs) -> dict[str, Seen]:
            found = {}
            for name, each in taps.items():
                records = list(recorded(outputs[each.record]))
                found[name] = Seen(times=tuple(filter(None, records)), turns=len(records))
            return found

        return _Study(
            names=tuple(names),
            solo=tuple(seen(prober.solo(sample, records)) for sample in self.samples),
            several=tuple(seen(prober.base(size, records)) for size in self.together),
        )


def _layouts(bodies: _Bodies, study: _Study, found: ValueLayouts) -> None:
    """Layouts of the values of a study, or why they have none."""
    index = bodies.model.index
    whole: dict[str, SampleLayout] = {}
    for name in study.names:
        solo = [run[name] for run in study.solo]
        several = [run[name] for run in study.several]
        layout = _from_shapes(solo, several, bodies)
        if layout is None:
            found.add(name, _unrun(index, name))
        elif isinstance(layout, str):
            found.add(name, layout)
        else:
            whole[name] = layout
    proofs: Mapping[str, SampleLayout | str] = whole
    if study.several:
        proofs = _proofs(bodies, whole, study.several[-1])
    for name, layout in proofs.items():
        if not isinstance(layout, str) and _repeats(index, name):
            runs = (*study.solo, *study.several)
            times = [iteration for run in runs for iteration, _ in run[name].times]
            layout = replace(layout, steps=max(times) + 1)
        found.add(name, layout)


def _from_shapes(
    solo: Sequence[Seen], together: Sequence[Seen], bodies: _Bodies
) -> SampleLayout | str | None:
    """What shapes alone tell of a value; None if it was never computed.

    Args:
        solo: Runs of single samples.
        together: Runs of several.
        bodies: What is looked into.
    """
    alone = [each for each in solo if each.times]
    several = [each for each in together if each.times]
    if not alone and not several:
        return None
    if any(each.shape is None for each in (*alone, *several)):
        return _UNEQUAL
    if any(min(each.shape or (), default=0) < 0 for each in (*alone, *several)):
        return _RANK
    shapes = {each.shape for each in alone}
    if len(shapes) > 1:
        return _BY_DATA
    if len(several) < len(together):
        return _SOLO_ONLY
    if not several:
        return of_repeated_sample(alone[0].shape or (), bodies.rows)
    if bodies.verdict.mode is Mode.GROWN:
        return by_growth(several[0].shape or (), several[1].shape or ())
    return SampleLayout(shape=several[0].shape or (), batch_axis=None)


def _proofs(
    bodies: _Bodies, layouts: Mapping[str, SampleLayout], seen: Mapping[str, Seen]
) -> dict[str, SampleLayout | str]:
    """Layouts borne out by replacing samples, or why they are not."""
    samples = bodies.together[-1]
    found: dict[str, SampleLayout | str] = {}
    sizes = {name: _nbytes(bodies.model.index, name, seen[name]) for name in layouts}
    large = [name for name, size in sizes.items() if size > _LARGEST_BYTES]
    found |= dict.fromkeys(large, _LARGE)
    for group in _groups({name: size for name, size in sizes.items() if name not in found}):
        elements = {name: math.prod(seen[name].shape or ()) for name in group}
        tapped, taps = tap(bodies.model, group, elements)
        try:
            prober = bodies.open(tapped)
        except BackendError as error:
            found |= dict.fromkeys(group, f"not seen: {error}")
            continue
        names = [part for name in group for part in (taps[name].record, taps[name].data) if part]
        base = prober.base(samples, names)
        changes: dict[str, list[Replacement]] = {name: [] for name in group}
        for sample, outputs in prober.corrupted(samples, names):
            for name in group:
                shape = seen[name].shape or ()
                changes[name].append(_change(sample, taps[name], shape, base, outputs))
        for name in group:
            layout = layouts[name]
            if bodies.verdict.mode is Mode.GROWN:
                found[name] = proven([layout], changes[name], samples)
            else:
                found[name] = by_replacement(layout.shape, changes[name], samples)
    return found


def _change(
    sample: int, tapped: Tap, shape: Shape, base: RunOutputs, outputs: RunOutputs
) -> Replacement:
    """What replacing a sample did to a value, in any of the times that it was computed."""
    mine, theirs = _rows(tapped, shape, base), _rows(tapped, shape, outputs)
    if mine is None or theirs is None:
        return Replacement(sample=sample, differs=None)
    both = min(len(mine), len(theirs))
    differs = changed(mine[:both], theirs[:both]).any(axis=0)
    return Replacement(sample=sample, differs=differs.reshape(shape))


def _rows(tapped: Tap, shape: Shape, outputs: RunOutputs) -> NDArray[Any] | None:
    """The value, flat, each time that it was computed; None if it had another shape."""
    assert tapped.data is not None
    records = list(recorded(outputs[tapped.record]))
    if {entry[1] for entry in records if entry is not None} - {shape}:
        return None
    there = np.array([entry is not None for entry in records], np.bool_)
    rows: NDArray[Any] = outputs[tapped.data].reshape(len(records), tapped.elements)[there]
    return rows


def _nbytes(index: GraphIndex, name: str, seen: Seen) -> int:
    """Bytes of a value's elements in a run."""
    element = index.element_of(name)
    width = 8 if element is None else format_of(element).value.itemsize
    return width * math.prod(seen.shape or ()) * seen.turns


def _groups(sizes: Mapping[str, int]) -> Iterator[list[str]]:
    """Values whose elements are fetched together, by their bytes in a run."""
    group: list[str] = []
    held = 0
    for name, size in sizes.items():
        if group and held + size > _GROUP_BYTES:
            yield group
            group, held = [], 0
        group.append(name)
        held += size
    if group:
        yield group


def _unrun(index: GraphIndex, name: str) -> str:
    """Why a value was never computed."""
    repeats = {body.repeats for body in index.around(_scope(index, name))}
    if repeats == {True}:
        return _LOOP
    return _BRANCH if repeats == {False} else _EITHER


def _scope(index: GraphIndex, name: str) -> str:
    home = index.home(name)
    return "" if home is None else home.scope


def _repeats(index: GraphIndex, name: str) -> bool:
    return any(body.repeats for body in index.around(_scope(index, name)))


def _in_scan(index: GraphIndex, name: str) -> bool:
    return any(body.owner.op_type == "Scan" for body in index.around(_scope(index, name)))
