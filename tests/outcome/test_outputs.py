from __future__ import annotations

import numpy as np
import pytest

from onnxfi.errors import UnsupportedModelError
from onnxfi.outcome import flatten_outputs


def test_arrays_stay_and_maps_become_columns():
    logits = np.ones((2, 3), np.float32)
    maps = [{"b": 0.25, "a": 0.75}, {"a": 0.5, "b": 0.5}]
    flat = flatten_outputs(["logits", "probs", "n"], [logits, maps, np.float32(3)])
    assert flat["logits"] is logits
    assert flat["probs"].tolist() == [[0.75, 0.25], [0.5, 0.5]]
    assert flat["n"].shape == ()
    assert flatten_outputs(["m"], [{2: 1.0, 1: 0.0}])["m"].tolist() == [0.0, 1.0]


@pytest.mark.parametrize(
    ("value", "said"),
    [
        ([np.zeros(2), np.zeros(3)], "sequence of tensors"),
        ([], "sequence of tensors"),
        (None, "NoneType"),
        ([{1: 0.0}, {2: 0.0}], "different keys"),
    ],
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
