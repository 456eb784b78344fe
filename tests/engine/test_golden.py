"""Golden runs: reproducible or refused."""

from __future__ import annotations

from types import SimpleNamespace

import numpy as np
import pytest

from onnxfi.engine import EngineSettings, golden_run, open_workload, profile, windows
from onnxfi.engine.golden import twice
from onnxfi.errors import GoldenError
from onnxfi.inject import BatchWindow
from onnxfi.outcome import BoundCriterion, OutcomeCounts, Top1
from onnxfi.workload import Signature, read_workload, sample_choice


def test_outputs_over_the_whole_workload(classifier, images):
    settings = EngineSettings(batch_size=4)
    found = profile(classifier, images, settings)
    golden = golden_run(classifier, images, found, settings)
    assert [window.samples for window in golden.windows] == [4, 4, 3]
    whole = EngineSettings(batch_size=11)
    other = golden_run(classifier, images, profile(classifier, images, whole), whole)
    np.testing.assert_array_equal(golden.samples("scores"), other.samples("scores"))
    right = int((golden.samples("scores").argmax(axis=1) == images.labels).sum())
    criterion = BoundCriterion(criterion=Top1(), output="scores")
    expected = OutcomeCounts(samples=11, masked=11, correct=right)
    assert golden.counts(criterion, images.labels) == expected
    assert golden.sha256 == golden_run(classifier, images, found, settings).sha256


def test_a_padded_fixed_batch(model_of):
    model = model_of("""
    <ir_version: 10, opset_import: ["" : 17]>
    g (float[4, 3] x) => (float[4, 3] y)
    { y = Neg(x) }
    """)
    x = np.arange(18, dtype=np.float32).reshape(6, 3)
    workload = open_workload(model, {"x": x})
    settings = EngineSettings()
    golden = golden_run(model, workload, profile(model, workload, settings), settings)
    assert golden.windows[1] == BatchWindow(start=4, stop=6, size=4)
    assert golden.outputs[1]["y"].shape == (4, 3)
    np.testing.assert_array_equal(golden.samples("y"), -x)


def test_random_operators_are_refused(model_of):
    model = model_of("""
    <ir_version: 10, opset_import: ["" : 17]>
    g (float[batch, 3] x) => (float[batch, 3] y)
    { r = RandomNormalLike(x)  y = Add(x, r) }
    """)
    workload = open_workload(model, {"x": np.ones((4, 3), np.float32)})
    settings = EngineSettings()
    found = profile(model, workload, settings)
    with pytest.raises(GoldenError, match=r"differs between two fault-free runs.*not reproducible"):
        golden_run(model, workload, found, settings)


def test_a_dropout_that_drops_is_refused(model_of):
    # Its first two runs are alike.
    model = model_of("""
    <ir_version: 10, opset_import: ["" : 17]>
    g (float[batch, 60] x) => (float[batch, 60] y)
    <float ratio = {0.5}, bool training = {1}>
    { y = Dropout<seed = 0>(x, ratio, training) }
    """)
    workload = open_workload(model, {"x": np.ones((1, 60), np.float32)})
    settings = EngineSettings(optimization="disabled")
    found = profile(model, workload, settings)
    with pytest.raises(GoldenError, match="not reproducible"):
        golden_run(model, workload, found, settings)


def test_a_golden_run_that_hangs(model_of):
    model = model_of("""
    <ir_version: 10, opset_import: ["" : 17]>
    looping (float[batch, 2] x, int64 trips) => (float[batch, 2] y)
    <bool always = {1}>
    {
      y = Loop (trips, always, x) <
        body = body (int64 i, bool go, float[batch, 2] v) => (bool on, float[batch, 2] w)
        { on = Identity(go)  w = Relu(v) }
      >
    }
    """)
    short = {"x": np.ones((2, 2), np.float32), "trips": np.array(2)}
    workload = open_workload(model, short)
    found = profile(model, workload, EngineSettings())
    signature = Signature(inputs=model.inputs, outputs=model.outputs)
    endless = read_workload({**short, "trips": np.array(2**60)}, signature, workload.reading)
    with pytest.raises(GoldenError, match=r"fails on samples 0\.\.1 of arrays: no result after"):
        golden_run(model, endless, found, EngineSettings(timeout_s=0.1))


def test_a_runtime_that_writes_into_its_inputs_is_refused():
    x = np.ones((2, 2), np.float32)

    def run(feeds):
        feeds["x"][0, 0] += 1
        return {"y": np.zeros((2, 1), np.float32)}

    session = SimpleNamespace(run=run)
    workload = SimpleNamespace(batch=lambda *window: {"x": x}, source="here")
    with pytest.raises(GoldenError, match="onnxruntime changed the inputs"):
        twice(session, workload, BatchWindow(start=0, stop=2, size=2), {})


def test_windows():
    free = windows(7, 3, None)
    assert [(w.start, w.stop, w.size) for w in free] == [(0, 3, 3), (3, 6, 3), (6, 7, 1)]
    fixed = windows(5, 4, 4)
    assert [(w.start, w.stop, w.size, w.samples) for w in fixed] == [(0, 4, 4, 4), (4, 5, 4, 1)]
    alone = windows(2, 1, 4)
    assert [(w.start, w.stop, w.size) for w in alone] == [(0, 1, 4), (1, 2, 4)]


def test_outputs_whose_shape_differs_between_runs(model_of):
    model = model_of("""
    <ir_version: 10, opset_import: ["" : 17]>
    g (float[batch, 3] x) => (int64[2, hits] n)
    { n = NonZero(x) }
    """)
    x = np.array([[1, 0, 0], [1, 1, 0], [0, 0, 0]], np.float32)
    workload = open_workload(model, {"x": x}, choice=sample_choice(["x=0"]))
    settings = EngineSettings()
    golden = golden_run(model, workload, profile(model, workload, settings), settings)
    found = golden.samples("n")
    np.testing.assert_array_equal(found[:, 1], [[0, 0], [0, 1], [0, 0]])
