"""Outcomes of many scenarios at once: those of each alone."""

from __future__ import annotations

import numpy as np
import pytest

from onnxfi.faults import SampleLayout
from onnxfi.outcome import (
    BoundCriterion,
    OutputRows,
    Tolerance,
    Top1,
    classify,
    classify_together,
    judges_rows,
)

SIZE, REAL = 6, 5
LAYOUTS = {
    "scores": SampleLayout(shape=(1, 4), batch_axis=0),
    "boxes": SampleLayout(shape=(2, 3), batch_axis=0),
}


def _runs(seed):
    """Golden outputs, and those of scenarios in which some rows differ, in some way."""
    rng = np.random.default_rng(seed)
    golden = {
        name: rng.standard_normal(layout.run_shape(SIZE)).astype(np.float32)
        for name, layout in LAYOUTS.items()
    }
    runs = []
    for _ in range(8):
        faulty = {name: value.copy() for name, value in golden.items()}
        for _ in range(rng.integers(0, 9)):
            name = ("scores", "boxes")[rng.integers(2)]
            at = tuple(rng.integers(0, n) for n in faulty[name].shape)
            faulty[name][at] = rng.choice([np.nan, np.inf, 9.0, faulty[name][at] + 1e-6])
        runs.append(faulty)
    return golden, runs


@pytest.mark.parametrize("labelled", [True, False])
@pytest.mark.parametrize("criterion", [Top1(), Tolerance(0.01)], ids=lambda c: c.spec())
@pytest.mark.parametrize("seed", range(4))
def test_counts_are_those_of_each_alone(criterion, labelled, seed):
    golden, runs = _runs(seed)
    bound = BoundCriterion(criterion=criterion, output="scores")
    assert judges_rows(bound, LAYOUTS)
    labels = np.random.default_rng(seed).integers(0, 4, REAL) if labelled else None
    # Rows that are golden may be among them, and some scenarios have none.
    keep = [
        (k, sample)
        for k, faulty in enumerate(runs)
        for sample in range(REAL)
        if any(
            faulty[n].reshape(SIZE, -1)[sample].tobytes()
            != golden[n].reshape(SIZE, -1)[sample].tobytes()
            for n in LAYOUTS
        )
        or (k + sample) % 5 == 0
    ]
    scenario, sample = np.array(keep).T

    def rows(values_of):
        return {
            name: np.concatenate(
                [values_of(k)[name].reshape(SIZE, *LAYOUTS[name].shape)[s] for k, s in keep]
            )
            for name in LAYOUTS
        }

    found = classify_together(
        OutputRows(
            scenario=scenario,
            sample=sample,
            golden=rows(lambda _: golden),
            faulty=rows(lambda k: runs[k]),
            whole=golden,
        ),
        len(runs),
        LAYOUTS,
        bound,
        labels,
        REAL,
    )
    for faulty, counts in zip(runs, found, strict=True):
        assert counts == classify(golden, faulty, LAYOUTS, bound, labels, REAL)


def test_no_rows_at_all():
    golden, _ = _runs(0)
    bound = BoundCriterion(criterion=Top1(), output="scores")
    none = {name: value[:0] for name, value in golden.items()}
    nobody = np.empty(0, np.int64)
    rows = OutputRows(scenario=nobody, sample=nobody, golden=none, faulty=none, whole=golden)
    labels = np.zeros(REAL, np.int64)
    for each in classify_together(rows, 2, LAYOUTS, bound, labels, REAL):
        assert each == classify(golden, golden, LAYOUTS, bound, labels, REAL)
