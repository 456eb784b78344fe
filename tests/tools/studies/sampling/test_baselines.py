"""Baselines: what each says about the bits of real networks."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from evaluation.baselines import Subject, rivals
from evaluation.flips import changes, words_of
from evaluation.gradients import Gradients
from evaluation.subject import code_steps, subject

import onnxfi as fi
from onnxfi.bits import ElementType, apply_masks, format_of, from_words
from onnxfi.errors import ConfigError
from onnxfi.faults import BitFlip, FaultSpace
from onnxfi.graph import load

ROOT = Path(__file__).resolve().parents[4]
FLOAT = ROOT / "models" / "lenet5_mnist_fp32.onnx"
CODES = ROOT / "models" / "lenet5_mnist_int8_qdq.onnx"


def _space(path: Path) -> FaultSpace:
    sites = fi.enumerate_sites(path, targets=["weight"], include=["conv1*", "fc3*"])
    return FaultSpace(sites, [BitFlip()])


def _scores(about: Subject) -> dict[str, dict[str, np.ndarray]]:
    found = {rival.name: dict(rival.scores()) for rival in rivals(about)}
    for scores in found.values():
        for site in about.space.sites:
            array = scores[site.name]
            assert array.shape == (site.layout.elements, format_of(site.element).width)
            assert np.isfinite(array).all()
            assert (array >= 0).all()
    return found


@pytest.mark.parametrize(
    "element", [ElementType.FLOAT, ElementType.FLOAT16, ElementType.BFLOAT16, ElementType.INT8]
)
def test_a_change_is_what_the_oracle_makes_of_a_flip(element):
    words = words_of(np.array([0.0, 1.0, -1.0, 3.0, -100.0, 77.0]), element)
    found = changes(words, element)
    largest = np.abs(found).max()
    for index in range(len(words)):
        before = from_words(words, element, words.shape).astype(np.float64)[index]
        for bit in range(format_of(element).width):
            one = np.array([index]), np.array([2**64 - 1], np.uint64), np.array([2**bit], np.uint64)
            faulty = apply_masks(words, *one)
            with np.errstate(invalid="ignore"):
                after = from_words(faulty, element, words.shape).astype(np.float64)[index]
            expected = after - before if np.isfinite(after) else largest
            assert abs(found[index, bit]) == pytest.approx(abs(expected))


def test_numbers_that_become_infinite_move_by_the_largest_one():
    for element, largest in (
        (ElementType.FLOAT, np.finfo(np.float32).max),
        (ElementType.FLOAT16, 65504),
    ):
        one = words_of(np.array([1.0]), element)  # all exponent bits but the top one are set
        top = format_of(element).fields["exponent"][-1]
        assert changes(one, element)[0, top] == float(largest)


def test_plain_rules_on_float_weights():
    found = _scores(subject(FLOAT, _space(FLOAT)))
    assert set(found) == {
        "population-uniform",
        "layer-uniform",
        "linear bits",
        "exponential bits",
        "top bit",
        "|delta|",
        "|delta| / rms",
        "|delta| / rms, bounded",
    }
    assert (found["population-uniform"]["conv1.weight"] == 1).all()
    shares = [array.sum() for array in found["layer-uniform"].values()]
    assert shares == pytest.approx([1, 1])
    assert (found["top bit"]["conv1.weight"].sum(axis=0) == 150 * (np.arange(32) == 30)).all()
    assert (found["|delta|"]["fc3.weight"].argmax(axis=1) == 30).all()
    quotient = found["|delta|"]["fc3.weight"] / found["|delta| / rms"]["fc3.weight"]
    np.testing.assert_allclose(quotient, quotient[0, 0])
    ratio, bounded = (
        found[name]["fc3.weight"].reshape(-1)
        for name in ("|delta| / rms", "|delta| / rms, bounded")
    )
    assert bounded.max() <= 1
    np.testing.assert_array_equal(bounded > 0.5, ratio > 10)
    assert (np.diff(bounded[np.argsort(ratio)]) >= 0).all()


def test_codes_count_what_they_are_worth():
    space = _space(CODES)
    about = subject(CODES, space)
    found = _scores(about)
    model = load(CODES)
    assert about.space.sites[0].element is ElementType.INT8
    for site in space.sites:
        steps = code_steps(CODES)[site.name].reshape(site.layout.shape)
        assert len(np.unique(steps)) == site.layout.shape[0]  # one a channel
        assert (steps.reshape(len(steps), -1).std(axis=1) < 1e-12).all()
        expected = steps.reshape(-1, 1) * 2.0 ** np.arange(8)
        np.testing.assert_allclose(found["|delta|"][site.name], expected)
        assert (found["top bit"][site.name][:, 7] == 1).all()
    assert model.index.element_of(space.sites[0].name) is ElementType.INT8


def test_gradient_rows_come_with_gradients(tmp_path):
    space = _space(FLOAT)
    rng = np.random.default_rng(1)
    slopes = {site.name: rng.normal(size=site.layout.elements) for site in space.sites}
    sizes = {name: np.abs(array) * 2 for name, array in slopes.items()}
    known = Gradients(model_sha256=load(FLOAT).sha256, output=slopes, loss=slopes, loss_size=sizes)
    known.write(tmp_path / "g.npz")
    about = subject(FLOAT, space, tmp_path / "g.npz")
    found = _scores(about)
    delta = found["|delta|"]["conv1.weight"]
    expected = delta * np.abs(slopes["conv1.weight"])[:, None]
    np.testing.assert_allclose(found["Taylor"]["conv1.weight"], expected)
    np.testing.assert_allclose(found["Taylor by image"]["conv1.weight"], 2 * expected)
    assert sum(name.startswith("ISimDL ") for name in found) == 12
    for rival in rivals(about):
        if rival.draws is not None:
            assert rival.draws().probability.sum() == pytest.approx(1)
    with pytest.raises(ConfigError, match="of another model"):
        subject(CODES, _space(CODES), tmp_path / "g.npz")
    with pytest.raises(ConfigError, match="make them with"):
        subject(FLOAT, space, tmp_path / "none.npz")


def test_computed_tensors_have_rules_and_gradients_of_their_own():
    inputs = ROOT / "models" / "mnist_test1000.npz"
    sites = fi.enumerate_sites(FLOAT, inputs=inputs, targets=["activation"], include=["logits"])
    space = FaultSpace(sites, [BitFlip()])
    plain = _scores(Subject(space=space))
    assert "top bit" in plain
    assert "|delta|" not in plain  # nothing is stored
    known = Gradients(
        model_sha256="",
        conductance={"logits": np.arange(10.0)},
        taylor={"logits": np.ones((10, 32))},
    )
    found = _scores(Subject(space=space, gradients=known))
    assert (found["Taylor"]["logits"] == 1).all()
    neurons = found["ISimDL GBIN"]["logits"].sum(axis=1)
    np.testing.assert_allclose(neurons, np.arange(10) / 45)
