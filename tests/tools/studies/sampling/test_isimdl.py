"""ISimDL reproduced: its probabilities, its draws, and what they say about the overall rate."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
from evaluation.bitshares import Weighting, bit_shares
from evaluation.isimdl import SHARES, Setting, isimdl, settings

from onnxfi.bits import ElementType
from onnxfi.errors import ConfigError
from onnxfi.faults import BitFlip, FaultSite, FaultSpace, SampleLayout, SiteKind, StuckAt
from onnxfi.sampling import ArrayScores, Mixture, priority_order


def _site(name: str, shape: tuple[int, ...]) -> FaultSite:
    return FaultSite(
        name=name,
        kind=SiteKind.WEIGHT,
        element=ElementType.FLOAT,
        node="",
        op_type="Gemm",
        layer=name,
        layout=SampleLayout(shape=shape, batch_axis=None),
    )


SITES = (_site("a", (2, 2)), _site("b", (3,)), _site("dead", (2,)))
SPACE = FaultSpace(SITES, [BitFlip()])
SENSITIVITY = {
    "a": np.array([1.0, -3.0, 0.0, 4.0]),
    "b": np.array([-1.0, 1.0, 2.0]),
    "dead": np.zeros(2),
}
VALUES = {"a": np.array([0.1, -2.0, 0.0, 5.0]), "b": np.ones(3), "dead": np.ones(2)}


def _draws(weighting=Weighting.GRADIENT, share=0.1):
    setting = Setting(weighting=weighting, uniform_share=share)
    return isimdl(SPACE, setting, SENSITIVITY, VALUES)


def test_names_are_those_of_its_experiments():
    names = [setting.name for setting in settings()]
    assert len(set(names)) == len(names) == 12
    assert {"RBRN", "RBIN", "EBRN", "EBIN", "LBIN", "GBRN", "GBIN", "GBIN r=0.1"} <= set(names)


@pytest.mark.parametrize(("weighting", "share"), [*itertools.product(Weighting, SHARES)])
def test_a_probability_is_that_of_layer_neuron_and_bit(weighting, share):
    found = _draws(weighting, share)
    assert found.probability.sum() == pytest.approx(1)
    bits = bit_shares(weighting, VALUES["a"], ElementType.FLOAT)
    neuron = share / 4 + (1 - share) * 3 / 8  # the second element of the first layer
    np.testing.assert_allclose(found.arrays()["a"][1], neuron * bits[1] / 3)
    for name in SENSITIVITY:
        assert found.arrays()[name].sum() == pytest.approx(1 / 3)  # layers alike


def test_a_layer_without_sensitivity_is_drawn_uniformly():
    np.testing.assert_allclose(_draws(share=0.0).arrays()["dead"].sum(axis=1), 1 / 6)


def test_numbers_are_those_of_the_fault_space():
    draws = _draws()
    scores = ArrayScores.read(draws.arrays(), {site.name: site for site in SITES})
    order = priority_order(SPACE, scores, Mixture(uniform_share=1e-12), n=SPACE.size, seed=1)
    np.testing.assert_allclose(order.weight, draws.probability[order.numbers], atol=1e-12)


def test_draws_follow_the_probabilities():
    draws = _draws(share=0.0)
    n = 200_000
    numbers = draws.draw(n, np.random.default_rng(3))
    counts = np.bincount(numbers, minlength=SPACE.size)
    assert not counts[draws.probability == 0].any()
    likely = draws.probability > 5 / n
    error = np.sqrt(n * draws.probability[likely])
    assert (np.abs(counts[likely] - n * draws.probability[likely]) < 5 * error).all()


def test_inverse_weighted_draws_estimate_the_rate():
    draws, rng = _draws(Weighting.LINEAR, 1.0), np.random.default_rng(5)
    fails = np.arange(SPACE.size) % 7 == 0
    found = []
    for _ in range(300):
        numbers = draws.draw(200, rng)
        found.append(draws.estimate(numbers, fails[numbers]))
    values, errors = np.array(found).T
    assert values.mean() == pytest.approx(fails.mean(), rel=0.05)
    assert errors.mean() == pytest.approx(values.std(), rel=0.2)


def test_random_neurons_need_no_sensitivity():
    setting = Setting(weighting=Weighting.EXPONENTIAL, uniform_share=1.0)
    assert isimdl(SPACE, setting, {}, {}).probability.sum() == pytest.approx(1)


def test_missing_sensitivities_and_other_faults_are_refused():
    setting = Setting(weighting=Weighting.RANDOM, uniform_share=0.0)
    with pytest.raises(ConfigError, match="no sensitivity of site 'b'"):
        isimdl(SPACE, setting, {"a": SENSITIVITY["a"]}, VALUES)
    with pytest.raises(ConfigError, match="'a' has 4 elements, its sensitivity has 3"):
        isimdl(SPACE, setting, {"a": np.ones(3)}, VALUES)
    with pytest.raises(ConfigError, match="the space has stuck0"):
        isimdl(FaultSpace(SITES, [StuckAt(0)]), setting, SENSITIVITY, VALUES)
