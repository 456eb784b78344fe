"""Layouts of the values inside a model, from runs that expose them in groups."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np

from onnxfi.engine.study._independence import Mode, Verdict
from onnxfi.engine.study._layouts import (
    Shape,
    by_growth,
    by_replacement,
    of_repeated_sample,
    proven,
)
from onnxfi.engine.study._probe import Prober
from onnxfi.faults import SampleLayout

_FIRST = 64  # values fetched together while their sizes are not known
_GROUP_BYTES = 16 << 20  # of one sample; probing holds about ten times that
_GROWN = 3
LOOKED_AT = 8  # samples whose shapes are compared where nothing else shows what they depend on


@dataclass(frozen=True, slots=True, kw_only=True)
class ValueLayouts:
    """Layouts of values, and reasons for those without one."""

    layouts: dict[str, SampleLayout] = field(default_factory=dict)
    left_out: dict[str, str] = field(default_factory=dict)

    def __or__(self, other: ValueLayouts) -> ValueLayouts:
        """Those of both."""
        return ValueLayouts(
            layouts=self.layouts | other.layouts, left_out=self.left_out | other.left_out
        )

    def add(self, name: str, found: SampleLayout | str) -> None:
        """Take up one value."""
        if isinstance(found, str):
            self.left_out[name] = found
        else:
            self.layouts[name] = found


@dataclass(frozen=True, slots=True, kw_only=True)
class _Alone:
    """Values of single samples: shapes (None if it differs between samples) and bytes."""

    shapes: Mapping[str, Shape | None]
    nbytes: Mapping[str, int]


def value_layouts(
    prober: Prober, names: Sequence[str], verdict: Verdict, rows: int, last: int
) -> ValueLayouts:
    """Layouts of values that the prober's session has as outputs.

    Args:
        prober: Runs the model with the values exposed.
        names: The values.
        verdict: What the outputs showed.
        rows: Rows of a fixed batch, else 1.
        last: The last sample of the workload.
    """
    found = ValueLayouts()
    # Samples that may share a run are replaced too, which shows shapes that depend on the data.
    looked_at = 2 if verdict.isolated else LOOKED_AT
    alone = _alone(prober, names, np.linspace(0, last, looked_at).astype(int).tolist())
    for group in _groups(names, alone.nbytes):
        if verdict.mode is Mode.GROWN and verdict.isolated:
            layouts = _grown(prober, group)
        elif verdict.mode is Mode.FIXED and verdict.isolated:
            layouts = _fixed(prober, group, rows)
        else:
            layouts = {name: of_repeated_sample(alone.shapes[name] or (), rows) for name in group}
        for name in group:
            steady = alone.shapes[name] is not None
            found.add(name, layouts[name] if steady else "its shape depends on the data")
    return found


def _alone(prober: Prober, names: Sequence[str], samples: Sequence[int]) -> _Alone:
    shapes: dict[str, Shape | None] = {}
    nbytes: dict[str, int] = {}
    for start in range(0, len(names), _FIRST):
        group = names[start : start + _FIRST]
        for sample in dict.fromkeys(samples):
            for name, value in prober.solo(sample, group).items():
                steady = shapes.setdefault(name, value.shape) == value.shape
                shapes[name] = value.shape if steady else None
                nbytes[name] = max(nbytes.get(name, 0), value.nbytes)
    return _Alone(shapes=shapes, nbytes=nbytes)


def _groups(names: Sequence[str], nbytes: Mapping[str, int]) -> Iterator[list[str]]:
    group: list[str] = []
    held = 0
    for name in names:
        if group and held + nbytes[name] > _GROUP_BYTES:
            yield group
            group, held = [], 0
        group.append(name)
        held += nbytes[name]
    if group:
        yield group


def _grown(prober: Prober, names: Sequence[str]) -> dict[str, SampleLayout | str]:
    two = {name: value.shape for name, value in prober.base(2, names).items()}
    three = prober.base(_GROWN, names)
    changes = prober.changes(three, _GROWN)
    layouts: dict[str, SampleLayout | str] = {}
    for name in names:
        grown = by_growth(two[name], three[name].shape)
        proof = grown if isinstance(grown, str) else proven([grown], changes[name], _GROWN)
        layouts[name] = proof
    return layouts


def _fixed(prober: Prober, names: Sequence[str], rows: int) -> dict[str, SampleLayout | str]:
    base = prober.base(rows, names)
    changes = prober.changes(base, rows)
    return {name: by_replacement(base[name].shape, changes[name], rows) for name in names}
