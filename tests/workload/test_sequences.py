"""Workloads of streaming models: a sample is a whole sequence."""

from __future__ import annotations

import numpy as np
import pytest

from onnxfi.bits import ElementType
from onnxfi.errors import ConfigError, WorkloadError
from onnxfi.workload import stream_of


@pytest.fixture
def model(spec):
    """Inputs and outputs of a recognizer: frames, state with the batch on axis 1, sample rate."""
    inputs = [
        spec("x", "batch", 4),
        spec("state", 2, "batch", 3),
        spec("sr", element=ElementType.INT64),
    ]
    return inputs, [spec("y", "batch", 1), spec("next", 2, "batch", 3)]


@pytest.fixture
def sequences(read):
    def make(model, arrays, *pairs):
        return read(arrays, model[0], stream_of(pairs or ("next=state",), *model), model[1])

    return make


def _x(samples=3, steps=5):
    return np.arange(samples * steps * 4, dtype=np.float32).reshape(samples, steps, 4)


RATE = np.array(16_000)


def test_feeds_have_steps_first_and_states_none(model, read, sequences):
    workload = sequences(model, {"x": _x(), "sr": RATE})
    assert (workload.samples, workload.steps) == (3, 5)
    feeds = workload.batch(1, 3)
    np.testing.assert_array_equal(feeds["x"], _x()[1:3].swapaxes(0, 1))
    np.testing.assert_array_equal(feeds["state"], np.zeros((2, 2, 3), np.float32))
    np.testing.assert_array_equal(feeds["sr"], [16_000] * 5)


def test_the_first_step_is_a_workload_of_single_runs(model, read, sequences):
    first = sequences(model, {"x": _x(), "sr": RATE}).first_step()
    assert (first.stream, first.steps) == (None, None)
    feeds = first.batch(0, 3)
    np.testing.assert_array_equal(feeds["x"], _x()[:, 0])
    assert feeds["state"].shape == (2, 3, 3)
    assert feeds["sr"].shape == ()


def test_initial_states_belong_to_samples(model, read, sequences):
    state = np.arange(18, dtype=np.float32).reshape(3, 2, 3)
    workload = sequences(model, {"x": _x(), "sr": RATE, "state": state})
    np.testing.assert_array_equal(workload.batch(1, 2)["state"][:, 0], state[1])
    other = sequences(model, {"x": _x(), "sr": RATE, "state": state + 1})
    assert other.sha256 != workload.sha256


def test_an_input_without_steps_is_held(model, read):
    inputs = [
        *model[0],
        model[0][0].__class__(name="speaker", element=ElementType.FLOAT, shape=("batch", 2)),
    ]
    speaker = np.arange(6, dtype=np.float32).reshape(3, 2)
    stream = stream_of(["next=state"], inputs, model[1])
    workload = read({"x": _x(), "sr": RATE, "speaker": speaker}, inputs, stream)
    feeds = workload.batch(0, 3)
    assert feeds["speaker"].shape == (5, 3, 2)
    np.testing.assert_array_equal(feeds["speaker"][4], speaker)


def test_a_model_without_a_batch_axis_runs_whole_samples(spec, read, sequences):
    model = [spec("x", 4), spec("h", 3)], [spec("hn", 3)]
    workload = sequences((model[0], model[1]), {"x": _x()}, "hn=h")
    assert workload.stacked
    np.testing.assert_array_equal(workload.batch(2, 3)["x"], _x()[2])
    np.testing.assert_array_equal(workload.batch(2, 3)["h"], np.zeros(3, np.float32))


def test_the_batch_of_an_anonymous_state_is_its_free_axis(spec, read, sequences):
    model = [spec("x", None, 4), spec("h", 2, None, 3)], [spec("hn", None, None, None)]
    assert sequences(model, {"x": _x()}, "hn=h").axes == {"x": 1, "h": 1}


def test_labels_are_one_a_sequence(model, read, sequences):
    labelled = sequences(model, {"x": _x(), "sr": RATE, "labels": np.array([0, 1, 0])})
    assert labelled.labels is not None
    with pytest.raises(WorkloadError, match="one label a sequence"):
        sequences(model, {"x": _x(), "sr": RATE, "labels": np.zeros(15, int)})


@pytest.mark.parametrize(
    ("arrays", "message"),
    [
        ({"x": _x()[:, 0], "sr": RATE}, r"no input has steps; give 'x' as \(samples, steps, 4\)"),
        ({"x": _x()[:, :, :2], "sr": RATE}, r"shape \(3, 5, 2\), expected \(samples, steps, 4\)"),
        ({"x": _x()}, "no input 'sr'"),
        ({"x": _x(), "sr": RATE, "z": RATE}, "'z', which is not an input"),
        ({"x": _x(3, 0), "sr": RATE}, r"there are no steps \(axis 1 is empty\)"),
        (
            {"x": _x(), "sr": RATE, "state": np.zeros((2, 2, 3), np.float32)},
            "disagree on the number of samples",
        ),
        (
            {"x": _x(), "sr": RATE, "state": np.zeros((3, 5, 2, 3), np.float32)},
            r"'state' has shape \(3, 5, 2, 3\), expected \(samples, 2, 3\)",
        ),
    ],
)
def test_arrays_that_do_not_fit_are_refused(model, arrays, message, read, sequences):
    with pytest.raises(WorkloadError, match=message):
        sequences(model, arrays)


def test_a_state_of_open_size_has_to_be_given(spec, read, sequences):
    model = [spec("x", "batch", 4), spec("cache", "batch", "length")], [spec("out", "batch", "m")]
    with pytest.raises(
        WorkloadError, match=r"size of state 'cache' open .* give its initial values"
    ):
        sequences(model, {"x": _x()}, "out=cache")
    empty = np.zeros((3, 0), np.float32)
    assert sequences(model, {"x": _x(), "cache": empty}, "out=cache").samples == 3


@pytest.mark.parametrize(
    ("pairs", "message"),
    [
        (["next"], "is not OUT=IN"),
        (["nxt=state"], "'nxt', which is no output of the model; did you mean 'next'"),
        (["next=stat"], "no input of the model; did you mean 'state'"),
        (["next=x"], "the output has 3 dimensions, the input 2"),
        (["next=sr"], "the output is float32, the input is int64"),
        (["next=state", "next=state"], "'next' is in two --state options"),
    ],
)
def test_pairs_that_are_no_state_are_refused(model, pairs, message):
    with pytest.raises(ConfigError, match=message):
        stream_of(pairs, *model)


def test_something_must_be_fed_in_every_step(spec):
    with pytest.raises(ConfigError, match="all inputs of the model are state"):
        stream_of(["hn=h"], [spec("h", 3)], [spec("hn", 3)])


def test_random_sequences_have_the_steps_asked_for(model, read, sequences):
    workload = sequences(model, "random:2:7:steps=6")
    assert workload.batch(0, 2)["x"].shape == (6, 2, 4)
    assert not workload.batch(0, 2)["state"].any()
    with pytest.raises(WorkloadError, match=r"how many steps .*:2:7:steps=16"):
        sequences(model, "random:2:7")


def test_all_that_is_open_is_told_at_once(spec, read, sequences):
    model = [spec("x", "batch", "n"), spec("h", "batch", 3)], [spec("hn", "batch", 3)]
    with pytest.raises(WorkloadError, match=r"dimension 1 of input 'x', how .*:2:7:n=16,steps=16"):
        sequences(model, "random:2:7", "hn=h")


def test_folders_hold_single_runs(model, tmp_path, read, sequences):
    with pytest.raises(WorkloadError, match="holds single runs"):
        sequences(model, tmp_path)
