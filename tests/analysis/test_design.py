"""Designs against simulated truth: unbiased, and intervals that hold what they promise."""

from __future__ import annotations

import numpy as np
import pytest

from onnxfi.analysis import Domain, EqualDesign, PriorityDesign, StratifiedDesign, look_confidence
from onnxfi.errors import ConfigError

SHARE = 0.1


class Population:
    """Scenarios with scores and fates."""

    def __init__(self, kind: str, size: int = 20_000) -> None:
        rng = np.random.default_rng(7)
        chance, high = rng.random(size), rng.random(size) < 0.03
        if kind == "sharp":  # scores tell nearly everything
            score = np.where(high, np.sqrt(rng.random(size)), 1e-4 * rng.random(size))
            self.failed = chance < np.where(high, 0.9 * score, 0)
        elif kind == "soft":  # scores tell a little
            score = np.minimum(1, rng.lognormal(-4, 1.5, size))
            self.failed = chance < 0.5 * score
        elif kind == "wrong":  # scores mislead: failures among the lowest
            score = np.where(high, 1.0, 0.01)
            self.failed = chance < np.where(high, 0.01, 0.05)
        else:  # almost nothing fails
            score = rng.random(size) ** 8
            self.failed = chance < 2e-3 * score
        self.size = size
        self.weight = (1 - SHARE) * score / score.sum() + SHARE / size
        self.rate = float(self.failed.mean())
        self.domain = rng.random(size) < 0.2

    def order(self, rng: np.random.Generator, n: int) -> tuple[np.ndarray, np.ndarray]:
        """The first n and the one after them, with their keys."""
        key = self.weight / (1 - rng.random(self.size))
        best = np.argpartition(-key, n)[: n + 1]
        best = best[np.argsort(-key[best])]
        return best, key[best]

    def design(self, best: np.ndarray, key: np.ndarray, n: int) -> PriorityDesign:
        return PriorityDesign(
            weight=self.weight[best[:n]],
            key=key[:n],
            next_key=float(key[n]),
            population=self.size,
            least=SHARE / self.size,
        )

    def draw(self, rng: np.random.Generator, n: int) -> tuple[PriorityDesign, np.ndarray]:
        best, key = self.order(rng, n)
        return self.design(best, key, n), best[:n]


@pytest.mark.parametrize(
    ("kind", "n", "low", "high"),
    [("sharp", 200, 0.93, 0.98), ("soft", 400, 0.93, 0.985), ("wrong", 400, 0.93, 1.0)],
)
def test_priority_estimates_are_unbiased_and_covered(kind, n, low, high):
    population, rng = Population(kind), np.random.default_rng(1)
    repeats, inside, safe, values, domains = 1000, 0, 0, [], 0
    others, covered = [], 0
    for repeat in range(repeats):
        design, drawn = population.draw(rng, n)
        hit = population.failed[drawn]
        found = design.rate(hit, 0.95)
        values.append(found.value)
        inside += found.low <= population.rate <= found.high
        other = design.difference_rate(hit, 0.95)
        others.append(other.value)
        covered += other.low <= population.rate <= other.high
        bound = design.safe_rate(hit, 0.95)
        safe += bound.low <= population.rate <= bound.high
        if repeat < 300:
            part = Domain(population.domain[drawn], int(population.domain.sum()))
            one = design.rate(hit, 0.95, part)
            domains += one.low <= population.failed[population.domain].mean() <= one.high
    error = np.std(values) / np.sqrt(repeats)
    assert abs(np.mean(values) - population.rate) < 4 * error + 0.02 * population.rate
    assert low <= inside / repeats <= high
    assert abs(np.mean(others) - population.rate) < 4 * error + 0.02 * population.rate
    assert covered / repeats >= low
    assert np.std(others) < 1.05 * np.std(values)
    assert safe / repeats >= 0.95
    assert domains / 300 >= 0.92


@pytest.mark.parametrize("kind", ["sharp", "soft", "wrong"])
def test_domains_of_unknown_size_are_bounded(kind):
    population, rng = Population(kind), np.random.default_rng(8)
    truth = population.failed[population.domain].mean()
    held = 0
    for _ in range(1000):
        design, drawn = population.draw(rng, 300)
        inside = population.domain[drawn]
        one = design.rate(population.failed[drawn], 0.95, Domain(inside, None))
        assert 0 <= one.low <= one.value <= one.high <= 1
        held += one.low <= truth <= one.high
    assert held / 1000 >= 0.95


def test_a_domain_of_which_all_is_known():
    population, rng = Population("soft", 500), np.random.default_rng(4)
    best, key = population.order(rng, 499)
    design = PriorityDesign(
        weight=population.weight[best],
        key=key,
        next_key=0.0,
        population=500,
        least=SHARE / 500,
    )
    inside = population.domain[best]
    for faults in (None, int(inside.sum())):
        one = design.rate(population.failed[best], 0.95, Domain(inside, faults))
        truth = population.failed[population.domain].mean()
        assert np.isclose([one.value, one.low, one.high], truth).all()
        assert one.method == "census"


@pytest.mark.parametrize("kind", ["sharp", "soft", "wrong", "rare"])
def test_priority_intervals_hold_at_every_look(kind):
    population, rng = Population(kind, 5_000), np.random.default_rng(5)
    looks, repeats = [50, 100, 200, 400], 1000
    missed = unsafe = wrong = 0
    for _ in range(repeats):
        best, key = population.order(rng, looks[-1])
        held = safe = apart = True
        for look, n in enumerate(looks, 1):
            design, hit = population.design(best, key, n), population.failed[best[:n]]
            level = look_confidence(0.95, look)
            rate = design.rate(hit, level, exact=True)
            held &= rate.low <= population.rate <= rate.high
            if look in (1, 4):
                bound = design.safe_rate(hit, level)
                safe &= bound.low <= population.rate <= bound.high
            if look in (2, 4):
                other = design.difference_rate(hit, level)
                apart &= other.low <= population.rate <= other.high
        missed += not held
        unsafe += not safe
        wrong += not apart
    assert missed / repeats <= 0.05
    assert wrong / repeats <= 0.05
    assert unsafe / repeats <= 0.05


def test_a_rate_of_almost_nothing_is_bounded_not_denied():
    population, rng = Population("rare"), np.random.default_rng(2)
    for _ in range(100):
        design, drawn = population.draw(rng, 300)
        found = design.rate(population.failed[drawn], 0.95)
        assert found.low <= population.rate <= found.high
        assert found.high > 0


class Ideal(Population):
    """Two levels of scores that tell all but a share of the likely ones."""

    def __init__(self, share: float) -> None:
        super().__init__("rare")
        rng = np.random.default_rng(3)
        high = rng.random(self.size) < 0.02
        score = np.where(high, 1.0, 1e-3)
        self.failed = high & (rng.random(self.size) < share)
        self.weight = (1 - SHARE) * score / score.sum() + SHARE / self.size
        self.rate = float(self.failed.mean())


@pytest.mark.parametrize(("share", "gain"), [(0.5, 1.0), (0.9, 1.7), (0.98, 6.0), (1.0, 100.0)])
def test_the_difference_needs_fewer_still_where_weights_tell_nearly_all(share, gain):
    population, rng = Ideal(share), np.random.default_rng(6)
    ratio, difference, inside = [], [], 0
    for _ in range(1000):
        design, drawn = population.draw(rng, 150)
        hit = population.failed[drawn]
        ratio.append(design.rate(hit, 0.95).value)
        found = design.difference_rate(hit, 0.95)
        difference.append(found.value)
        inside += found.low <= population.rate <= found.high
    truth = population.rate
    errors = [np.mean((np.array(values) - truth) ** 2) for values in (ratio, difference)]
    assert errors[0] > gain * errors[1]
    assert inside / 1000 >= 0.935


def test_where_chance_decided_on_too_few_failures_the_difference_is_the_ratio():
    population, rng = Population("rare"), np.random.default_rng(2)
    design, drawn = population.draw(rng, 300)
    hit = population.failed[drawn]
    assert design.difference_rate(hit, 0.95) == design.rate(hit, 0.95)


def test_importance_needs_fewer_scenarios_and_says_so():
    population, rng = Population("sharp"), np.random.default_rng(3)
    told, values = [], []
    for _ in range(300):
        design, drawn = population.draw(rng, 300)
        hit = population.failed[drawn]
        told.append(design.variance_reduction(hit))
        values.append(design.rate(hit, 0.95).value)
    truth = population.rate * (1 - population.rate) / 300 / np.var(values)
    assert truth > 20
    assert 0.7 < np.median(told) / truth < 1.4
    assert 1 <= design.effective_size() <= 300


def test_a_complete_order_is_a_census():
    population, rng = Population("soft", 500), np.random.default_rng(4)
    key = population.weight / (1 - rng.random(500))
    order = np.argsort(-key)
    design = PriorityDesign(
        weight=population.weight[order],
        key=key[order],
        next_key=0.0,
        population=500,
        least=SHARE / 500,
    )
    hit = population.failed[order]
    for found in (design.rate(hit, 0.95), design.safe_rate(hit, 0.95)):
        assert np.isclose([found.value, found.low, found.high], population.rate).all()
    assert design.rate(hit, 0.95).method == "census"
    assert design.variance_reduction(hit) is None
    share = design.mean(hit * 0.5, 0.95)
    assert np.isclose([share.value, share.low, share.high], population.rate / 2).all()


def test_scenarios_out_of_order_are_refused():
    with pytest.raises(ConfigError, match="falling key"):
        PriorityDesign(
            weight=np.ones(2), key=np.array([1.0, 2.0]), next_key=0.5, population=9, least=0.1
        )


def strata_of(rates, sizes, rng):
    return [rng.random(size) < rate for rate, size in zip(rates, sizes, strict=True)]


@pytest.mark.parametrize("counts", [(100, 100, 100), (250, 40, 10)])
def test_stratified_estimates_are_unbiased_and_covered(counts):
    sizes = np.array([3000, 5000, 2000])
    strata = strata_of([0.2, 0.01, 0.5], sizes, np.random.default_rng(5))
    truth = sum(part.sum() for part in strata) / sizes.sum()
    rng, values, inside = np.random.default_rng(6), [], 0
    codes = np.repeat(np.arange(3), counts)
    for _ in range(1000):
        parts = [rng.choice(part, n, False) for part, n in zip(strata, counts, strict=True)]
        hit = np.concatenate(parts)
        found = StratifiedDesign(codes=codes, sizes=sizes).rate(hit, 0.95)
        values.append(found.value)
        inside += found.low <= truth <= found.high
    assert abs(np.mean(values) - truth) < 4 * np.std(values) / np.sqrt(1000)
    assert inside / 1000 >= 0.93


def test_a_stratum_not_seen_yet_could_hold_anything():
    design = StratifiedDesign(codes=np.zeros(50, np.int64), sizes=np.array([500, 500]))
    found = design.rate(np.zeros(50, bool), 0.95)
    assert found.value == 0
    assert found.high >= 0.5
    half = StratifiedDesign(codes=np.zeros(50, np.int64), sizes=np.array([1000]))
    assert half.rate(np.zeros(50, bool), 0.95).high < 0.1


def test_domains_across_strata_are_weighted():
    sizes = np.array([9000, 1000])
    codes = np.repeat([0, 1], [100, 100])
    design = StratifiedDesign(codes=codes, sizes=sizes)
    hit = codes == 1  # every scenario of the small stratum fails
    mixed = Domain(np.ones(200, bool), 10_000)
    assert np.isclose(design.rate(hit, 0.95, mixed).value, 0.1)
    assert np.isclose(design.point(hit.astype(float), mixed.inside), 0.1)
    one = design.rate(hit, 0.95, Domain(codes == 1, 1000))
    assert (one.value, one.high) == (1.0, 1.0)
    assert one.low > 0.9


def test_one_stratum_is_a_simple_random_sample():
    hit = np.arange(80) % 9 == 0
    one = StratifiedDesign(codes=np.zeros(80, np.int64), sizes=np.array([700])).rate(hit, 0.95)
    plain = EqualDesign(population=700).rate(hit, 0.95)
    assert np.isclose([one.value, one.low, one.high], [plain.value, plain.low, plain.high]).all()
