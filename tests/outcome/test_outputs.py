from __future__ import annotations

import numpy as np
import pytest

from onnxfi.errors import UnsupportedModelError
from onnxfi.outcome import flatten_outputs, storable


def test_arrays_stay_and_maps_become_columns():
    logits = np.ones((2, 3), np.float32)
    maps = [{"b": 0.25, "a": 0.75}, {"a": 0.5, "b": 0.5}]
    flat = flatten_outputs(["logits", "probs", "n"], [logits, maps, np.float32(3)])
    assert flat["logits"] is logits
    assert flat["probs"].tolist() == [[0.75, 0.25], [0.5, 0.5]]
    assert flat["n"].shape == ()
    assert flatten_outputs(["m"], [{2: 1.0, 1: 0.0}])["m"].tolist() == [0.0, 1.0]


def test_sequences_of_tensors_become_one_array():
    pair = [np.ones((2, 3)), np.zeros((2, 3))]
    assert flatten_outputs(["s"], [pair])["s"].shape == (2, 2, 3)
    ragged = [np.array([1, 2]), np.array([3])]
    assert flatten_outputs(["s"], [ragged])["s"].tolist() == [[1, 2], [3, 0]]
    ranks = [np.array([[1, 2], [3, 4]]), np.array(5)]
    assert flatten_outputs(["s"], [ranks])["s"].tolist() == [[1, 2, 3, 4], [5, 0, 0, 0]]
    texts = [np.array(["a", "bb"], object), np.array(["c"], object)]
    found = flatten_outputs(["s"], [texts])["s"]
    assert found.tolist() == [["a", "bb"], ["c", ""]]
    assert storable(found).dtype == np.dtype("U2")


@pytest.mark.parametrize("value", [[], None])
def test_what_is_empty_has_no_elements(value):
    assert flatten_outputs(["y"], [value])["y"].shape == (0,)


@pytest.mark.parametrize(
    ("value", "said"), [(object(), "is a object"), ([{1: 0.0}, {2: 0.0}], "different keys")]
)
def test_what_has_no_array_form_is_refused(value, said):
    with pytest.raises(UnsupportedModelError, match=rf"'y'.*{said}"):
        flatten_outputs(["y"], [value])


def test_zipmap_of_a_real_classifier():
    ort = pytest.importorskip("onnxruntime")
    from onnxruntime.datasets import get_example

    session = ort.InferenceSession(
        get_example("logreg_iris.onnx"), providers=["CPUExecutionProvider"]
    )
    names = [output.name for output in session.get_outputs()]
    feed = {session.get_inputs()[0].name: np.ones((3, 2), np.float32)}
    flat = flatten_outputs(names, session.run(None, feed))
    label, probability = (flat[name] for name in names)
    assert label.shape == (3,)
    assert probability.shape == (3, 3)
    assert np.array_equal(label, probability.argmax(axis=1))
