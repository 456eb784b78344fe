"""Patience: how runs that hang are taken apart, and what limits they have."""

from __future__ import annotations

import numpy as np
import pytest

from onnxfi.engine import default_timeout
from onnxfi.engine.engines import results
from onnxfi.engine.runtime import RunFailedError, RunTimedOutError, shortened
from onnxfi.engine.study import windows
from onnxfi.graph import load
from onnxfi.outcome import Outcome

OUTPUTS = {"y": np.zeros(1, np.float32)}


class Hanging:
    """A scenario that hangs in some samples and raises in others, and notes its runs."""

    def __init__(self, hanging, raising=()):
        self._hanging = set(hanging)
        self._raising = set(raising)
        self.runs = []

    def golden(self, window):
        return OUTPUTS

    def faulty(self, window, hurried):
        self.runs.append((window.start, window.stop, hurried))
        samples = set(range(window.start, window.stop))
        if samples & self._hanging:
            raise RunTimedOutError("hangs")
        if samples & self._raising:
            raise RunFailedError("raises")
        return OUTPUTS


def _run(armed, samples, batch):
    found = list(results(armed, windows(samples, batch, None), None))
    hung = [r for r in found if r.failure is Outcome.DUE_TIMEOUT]
    return {sample for r in hung for sample in range(r.window.start, r.window.stop)}, found


def test_only_samples_that_hang_alone_time_out():
    armed = Hanging({1, 6})
    hung, found = _run(armed, 8, 4)
    assert hung == {1, 6}
    assert sum(r.window.samples for r in found) == 8
    # The first run to hang has the whole limit, all later ones less.
    assert [hurried for *_, hurried in armed.runs] == [False] + [True] * 9


def test_a_batch_that_hung_to_the_last_sample_speaks_for_later_ones():
    armed = Hanging(range(12))
    hung, found = _run(armed, 12, 4)
    assert hung == set(range(12))
    assert [(r.window.start, r.window.stop) for r in found[4:]] == [(4, 8), (8, 12)]
    assert len(armed.runs) == 1 + 4 + 2


def test_a_later_batch_that_does_not_hang_counts_for_itself():
    hung, found = _run(Hanging(range(4), raising={9}), 12, 4)
    assert hung == set(range(4))
    failed = [r.window.start for r in found if r.failure is Outcome.DUE_EXCEPTION]
    assert failed == [9]


def test_runs_that_raise_do_not_hurry_others():
    armed = Hanging((), raising={2})
    _run(armed, 6, 3)
    assert not any(hurried for *_, hurried in armed.runs)


@pytest.mark.parametrize(("limit", "short"), [(80, 10), (8, 1), (2, 1), (1, 1), (0.2, 0.2)])
def test_the_shortened_limit(limit, short):
    assert shortened(limit) == short


def test_the_default_limit_is_from_sizes_alone(models):
    model = load(models / "resnet8_fashion_fp32.onnx")
    assert default_timeout(model, 1) == 10
    assert default_timeout(model, 10_000) > 100
    assert default_timeout(model, 20_000) == pytest.approx(2 * default_timeout(model, 10_000))
