"""Baked models elsewhere: `onnx.reference` on the smallest network; the rules on made-up scores."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnx
import pytest
from runtimes.answers import RefusedError, onnxruntime, reference
from runtimes.cases import CASES, Case
from runtimes.compare import Effort, Line, compare
from runtimes.table import markdown

MODELS = Path(__file__).resolve().parents[2] / "models"
SMALL = Effort(scenarios=4, images=6, seed=5)


@pytest.mark.parametrize("variant", ["fp32", "fp16", "int8_qdq", "int8_dynamic"])
@pytest.mark.parametrize("name", ["20 flips in any stored tensor", "1 flip in a computed tensor"])
def test_onnx_reference_decides_as_onnxruntime(variant, name):
    case = next(case for case in CASES if case.name == name)
    path, data = MODELS / f"lenet5_mnist_{variant}.onnx", MODELS / "mnist_test1000.npz"
    line = compare(path, data, case, reference, SMALL)
    assert (line.scenarios, line.compared, line.refused) == (4, 24, 0)
    assert line.differ == 0, line.notes


def _line(theirs, *, images: int = 4) -> Line:
    """A line against a runtime that changes what onnxruntime answers."""
    return compare(
        MODELS / "lenet5_mnist_fp32.onnx",
        MODELS / "mnist_test1000.npz",
        Case(name="flips", kinds=("weight",)),
        lambda model, pictures: theirs(onnxruntime(model, pictures)),
        Effort(scenarios=2, images=images, seed=1),
    )


def test_a_runtime_that_decides_otherwise_is_found_out():
    line = _line(lambda scores: -scores)
    assert (line.differ, line.ties, line.unfused, line.infinite) == (8, 0, 0, 0)
    assert not line.holds
    assert "scenario 0, picture 0: class 7" in markdown([line])


def test_a_tie_is_counted_apart():
    def near(scores):
        first, second = np.argsort(scores, axis=1)[:, :-3:-1].T
        rows = np.arange(len(scores))
        scores[rows, second] = np.nextafter(scores[rows, first], np.float32(np.inf))
        return scores

    line = _line(near)
    assert (line.ties, line.differ) == (8, 0)
    assert line.holds


def test_scores_without_end_are_counted_apart():
    line = _line(lambda scores: np.full_like(scores, np.nan))
    assert (line.infinite, line.differ) == (8, 0)


def test_a_refused_file_is_not_compared():
    def refuse(scores):
        raise RefusedError("has no such operator")

    line = _line(refuse)
    assert (line.scenarios, line.compared, line.refused) == (0, 0, 2)
    text = markdown([line])
    assert "has no such operator: `lenet5_mnist_fp32.onnx` (2 of 2)" in text


def test_an_operator_that_onnx_reference_lacks_is_a_refusal():
    path = MODELS / "lenet5_mnist_int8_qoperator.onnx"
    with pytest.raises(RefusedError, match="QGemm"):
        reference(path.read_bytes(), np.zeros((1, 1, 28, 28), np.float32))


def test_the_cases_cover_every_kind_of_stored_tensor():
    kinds = {kind for case in CASES for kind in case.kinds}
    assert kinds >= {"weight", "bias", "scale", "zero_point", "activation"}


def test_old_quantized_models_are_raised_for_onnx_reference():
    path = MODELS / "lenet5_mnist_int8_qdq.onnx"
    assert next(item.version for item in onnx.load(path).opset_import) < 19
    with np.load(MODELS / "mnist_test1000.npz") as arrays:
        pictures = arrays["image"][:5]
    theirs = reference(path.read_bytes(), pictures)
    ours = onnxruntime(path.read_bytes(), pictures)
    assert (theirs.argmax(axis=1) == ours.argmax(axis=1)).all()
