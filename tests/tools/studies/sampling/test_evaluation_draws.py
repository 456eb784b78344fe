"""Simulated priority samples against the package's own, and against a known population."""

from __future__ import annotations

import numpy as np
import pytest
from evaluation.draws import PrioritySampler, mixture_weights

from onnxfi.bits import ElementType
from onnxfi.faults import BitFlip, FaultSite, FaultSpace, SampleLayout, SiteKind
from onnxfi.sampling import FunctionScores, Mixture, priority_order

MIXTURE = Mixture(uniform_share=0.1, power=1.5)


def space_of(elements: int) -> FaultSpace:
    site = FaultSite(
        name="w",
        kind=SiteKind.WEIGHT,
        element=ElementType.UINT8,
        node="node",
        op_type="Conv",
        layer="node",
        layout=SampleLayout(shape=(elements,), batch_axis=None),
    )
    return FaultSpace([site], [BitFlip()])


@pytest.fixture
def scores():
    rng = np.random.default_rng(3)
    return rng.random(400) ** 6 * (rng.random(400) < 0.7)


def of(scores):
    def score(site, index, bit):
        del site
        return scores[index * 8 + bit]

    return FunctionScores(function=score, name="given")


def test_weights_are_those_of_the_package(scores):
    space = space_of(50)
    found = mixture_weights(scores, np.ones(400, np.int64), MIXTURE)
    order = priority_order(space, of(scores), MIXTURE, n=400, seed=0)
    np.testing.assert_allclose(found[order.numbers], order.weight, rtol=1e-12)


def test_weights_of_copies_sum_to_one(scores):
    copies = np.arange(400) % 5
    assert (copies * mixture_weights(scores, copies, MIXTURE)).sum() == pytest.approx(1)
    assert mixture_weights(np.zeros(3), np.array([1, 2, 3]), MIXTURE) == pytest.approx([1 / 6] * 3)


@pytest.mark.parametrize("n", [1, 5, 40, 200])
def test_draws_are_distributed_as_the_orders_of_the_package(scores, n):
    """Inclusion frequencies, thresholds and first places agree within what chance allows."""
    space, seeds = space_of(50), 600
    weight = mixture_weights(scores, np.ones(400, np.int64), MIXTURE)
    sampler, rng = PrioritySampler(weight, np.ones(400, np.int64), n), np.random.default_rng(5)
    drawn = [sampler.draw(rng) for _ in range(seeds)]
    orders = [priority_order(space, of(scores), MIXTURE, n=n, seed=s) for s in range(seeds)]
    mine = np.bincount(np.concatenate([d.row for d in drawn]), minlength=400) / seeds
    theirs = np.bincount(np.concatenate([o.numbers for o in orders]), minlength=400) / seeds
    both = (mine + theirs) / 2
    noise = np.sqrt(2 * both * (1 - both) / seeds) + 1 / seeds
    assert (np.abs(mine - theirs) < 5 * noise).all()
    logs = [np.log([each.next_key for each in some]) for some in (drawn, orders)]
    spread = np.sqrt((logs[0].var() + logs[1].var()) / seeds)
    assert abs(logs[0].mean() - logs[1].mean()) < 4.5 * spread
    for draw in drawn[:20]:
        assert len(set(draw.row.tolist())) == len(draw.row) == n
        assert (np.diff(draw.key) <= 0).all()
        assert draw.key[-1] >= draw.next_key > 0
        np.testing.assert_array_equal(draw.weight, weight[draw.row])
        assert (draw.weight <= draw.key).all()  # u is at most 1


def test_copies_are_drawn_as_if_they_were_rows(scores):
    copies = 1 + np.arange(400) % 4
    weight = mixture_weights(scores, copies, MIXTURE)
    sampler, rng = PrioritySampler(weight, copies, 60), np.random.default_rng(7)
    rows = np.repeat(np.arange(400), copies)
    plain = PrioritySampler(weight[rows], np.ones(len(rows), np.int64), 60)
    found = np.zeros((2, 400))
    for _ in range(500):
        found[0] += np.bincount(sampler.draw(rng).row, minlength=400)
        found[1] += np.bincount(rows[plain.draw(rng).row], minlength=400)
    assert (np.abs(found[0] - found[1]) < 5 * np.sqrt(found.sum(axis=0) + 1)).all()


def test_everything_can_be_drawn():
    sampler = PrioritySampler(np.full(6, 1 / 6), np.ones(6, np.int64), 6)
    draw = sampler.draw(np.random.default_rng(0))
    assert sorted(draw.row.tolist()) == list(range(6))
    assert draw.next_key == 0
    with pytest.raises(ValueError, match="7 faults"):
        PrioritySampler(np.full(6, 1 / 6), np.ones(6, np.int64), 7)


def test_estimates_from_draws_are_those_of_the_population(scores):
    """The ratio-calibrated estimate is close to the truth on average, and covers it."""
    failing = scores > 0.3
    copies = np.full(400, 25)
    weight = mixture_weights(scores, copies, Mixture())
    sampler, rng = PrioritySampler(weight, copies, 300), np.random.default_rng(11)
    rates = []
    for _ in range(300):
        draw = sampler.draw(rng)
        design = draw.design(sampler.size, sampler.least)
        rates.append(design.rate(failing[draw.row], 0.95))
    truth = failing.mean()
    values = np.array([rate.value for rate in rates])
    assert abs(values.mean() - truth) < 4 * values.std() / np.sqrt(300) + 0.01 * truth
    assert values.std() < 0.5 * np.sqrt(truth * (1 - truth) / 300)  # better than uniform draws
    assert np.mean([rate.low <= truth <= rate.high for rate in rates]) > 0.9
