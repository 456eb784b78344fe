"""Ends of intervals against numbers that others, or other ways, arrive at."""

from __future__ import annotations

import itertools

import numpy as np
import pytest

from onnxfi.analysis import (
    Domain,
    PriorityDesign,
    StratifiedDesign,
    bounded_mean,
    clopper_pearson,
    failure_rate,
    look_confidence,
    total_bounds,
)


@pytest.mark.parametrize(
    ("failures", "n", "exact", "wilson"),
    [
        # statsmodels 0.15, proportion_confint(failures, n, 0.05, "beta" and "wilson").
        (0, 30, (0.0, 0.1157033082220278), (0.0, 0.1135133931739688)),
        (
            3,
            30,
            (0.02111713702972257, 0.2652884504742081),
            (0.03459988874733416, 0.256210825791841),
        ),
        (30, 30, (0.8842966917779722, 1.0), (0.8864866068260311, 1.0)),
        # Newcombe, Statist. Med. 17 (1998) 857, Table I has 0.0192, 0.0950 and 0.0231, 0.0944.
        (
            7,
            148,
            (0.01922469920222927, 0.0950210320041293),
            (0.0230969984928091, 0.0944035771685633),
        ),
    ],
)
def test_shares_of_independent_draws(failures, n, exact, wilson):
    for found, expected in (
        (clopper_pearson(failures, n), exact),
        (failure_rate(failures, n), wilson),
    ):
        assert (found.low, found.high) == pytest.approx(expected, abs=1e-12)


@pytest.mark.parametrize(
    ("seen", "low", "high"),
    [
        # Solutions of P(X >= seen) = 0.025 and P(X <= seen) = 0.025 for a Poisson mean, found with
        # mpmath from the sums; Garwood, Biometrika 28 (1936), Table has 0.0253, 5.57 for 1.
        (0, 0.0, 3.6888794541139363),
        (1, 0.02531780798428988, 5.571643390938899),
        (5, 1.6234863901184205, 11.66833207932267),
        (10, 4.795388696132434, 18.39035604201778),
    ],
)
def test_bounds_of_a_thinned_count_are_those_of_garwood(seen, low, high):
    for probability in (0.01, 0.4):
        bounds = total_bounds(seen, probability, 0.025)
        assert bounds == pytest.approx((max(seen, low / probability), high / probability))


def test_strata_are_put_together_as_newcombe_puts_a_difference_together():
    # Newcombe, Statist. Med. 17 (1998) 873, Table II, method 10: 56/70 - 48/80 is from 0.0524 to
    # 0.3339 (statsmodels, confint_proportions_2indep(56, 70, 48, 80, "newcomb"), has the digits).
    # (p1 - p2 + 1) / 2 is the mean of p1 and 1 - p2 in two strata of one size.
    hit = np.array([True] * 56 + [False] * 14 + [True] * 32 + [False] * 48)
    codes = np.repeat([0, 1], [70, 80])
    design = StratifiedDesign(codes=codes, sizes=np.array([10**15, 10**15]))
    found = design.rate(hit, 0.95)
    assert found.value == pytest.approx((1 + 0.2) / 2)
    ends = (1 + 0.05243147240236498) / 2, (1 + 0.33387265403690614) / 2
    assert (found.low, found.high) == pytest.approx(ends, abs=1e-9)


def test_a_stratum_without_scenarios_may_be_anything():
    design = StratifiedDesign(codes=np.zeros(8, np.int64), sizes=np.array([8, 8]))
    found = design.rate(np.arange(8) < 2, 0.95)
    # All of the first are known, so the ends are those of the second: 0 and 1, half of each.
    assert (found.value, found.low, found.high) == (0.25, 0.125, 0.625)


def test_sums_over_strata_are_unbiased_over_all_samples_there_are():
    values = [np.array([0.1, 0.9, 0.4, 0.0, 1.0, 0.3]), np.array([0.7, 0.2, 0.0, 1.0])]
    design = StratifiedDesign(codes=np.array([0, 0, 0, 1, 1]), sizes=np.array([6, 4]))
    inside, totals, means = np.ones(5, np.bool_), [], []
    for first in itertools.combinations(values[0], 3):
        for second in itertools.combinations(values[1], 2):
            drawn = np.array([*first, *second])
            totals.append(design.total(drawn))
            means.append(design.point(drawn, inside))
    assert np.mean(totals) == pytest.approx(sum(map(np.sum, values)))
    assert np.mean(means) == pytest.approx(sum(map(np.sum, values)) / 10)


PATTERN = [((7 * i * i + 3 * i) % 23) / 23 for i in range(40)]
RARE = [1.0 if i % 9 == 4 else 0.0 for i in range(60)]


@pytest.mark.parametrize(
    ("values", "population", "confidence", "low", "high"),
    [
        # confseq 0.0.11, by the authors of the method: where betting_mart(x, m, alpha, theta=1/2,
        # trunc_scale=3/4, m_trunc=True, N) with the bets lambda_predmix_eb(alpha / 2, fixed_n)
        # reaches 1 / alpha, found by bisection.
        (PATTERN, None, 0.95, 0.33127334436813766, 0.5556750629523842),
        (PATTERN, None, 0.8, 0.35797520106569447, 0.5294126462366824),
        (PATTERN, 150, 0.95, 0.3435672792023818, 0.537623621093868),
        (PATTERN, 150, 0.8, 0.3653600369953017, 0.5150412185509761),
        (RARE, None, 0.95, 0.029900391250764272, 0.25970399395825117),
        (RARE, None, 0.8, 0.04822789389764219, 0.24438098489004123),
        (RARE, 150, 0.95, 0.04706475835911299, 0.22814664456792716),
        (RARE, 150, 0.8, 0.06151466521534854, 0.2153645628569496),
        ([0.0] * 50, None, 0.95, 0.0, 0.09275215015372525),
        ([0.0] * 50, 150, 0.95, 0.0, 0.07646290593805802),
    ],
)
def test_means_of_shares_are_those_of_confseq(values, population, confidence, low, high):
    found = bounded_mean(np.array(values), population=population, confidence=confidence)
    # An end is found to a thousandth of its distance from the mean, on the wide side.
    slack = [1e-9 + 2e-3 * abs(found.value - end) for end in (low, high)]
    assert low - slack[0] <= found.low <= low + 1e-9
    assert high - 1e-9 <= found.high <= high + slack[1]


def test_errors_of_all_looks_sum_to_one_error():
    errors = [1 - look_confidence(0.95, look) for look in range(1, 200_000)]
    assert sum(errors) == pytest.approx(0.05, rel=1e-4)
    assert errors[0] == pytest.approx(0.030396355092701334)  # 0.05 * 6 / pi^2


WEIGHTS = [900, 700, 600, 500, 400, 300, 250, 200, 150, 120, 100, 90, 80, 70, 60, *[50] * 5]
UNIFORM = [310, 270, 245, 220, 190, 155, 140, 120, 97, 83, 74, 71, 67, 62, 56, 49, 51, 53, 57, 60]
HIT = np.arange(20) % 3 == 0
VALUES = [20, 80, 85, 55, 80, 80, 30, 90, 80, 10, 80, 95, 60, 80, 84, 20, 80, 88, 40, 80]


@pytest.fixture
def design() -> PriorityDesign:
    """Twenty scenarios of 2,000; the estimates below are mpmath's, from the papers' formulas."""
    weight, u = np.array(WEIGHTS) / 1e4, np.array(UNIFORM) / 1e3
    return PriorityDesign(
        weight=weight,
        key=weight / u,
        next_key=0.06,
        population=2000,
        least=0.005,
    )


def test_a_rate_of_a_priority_sample(design):
    found = design.rate(HIT & (np.arange(20) < 19), 0.95)
    assert found.value == pytest.approx(0.0165725806451613)
    assert (found.low, found.high) == pytest.approx((0.00426281683114544, 0.0880878316661068))
    assert design.effective_size() == pytest.approx(13.315394017494)
    assert design.variance_reduction(HIT) == pytest.approx(19.9667738353435)


def test_bounds_of_a_priority_sample_that_assume_nothing(design):
    found = design.safe_rate(HIT, 0.95)
    assert (found.low, found.high) == pytest.approx((0.0067808031857618, 0.0803581322096413))


def test_a_mean_of_a_priority_sample_shares_its_error_among_losses_and_gains(design):
    found = design.mean(np.array(VALUES) / 100, 0.95, 0.8)
    assert found.value == pytest.approx(0.793391129032258)
    assert (found.low, found.high) == pytest.approx((0.501541976360122, 0.816059753424635))


def test_a_domain_of_unknown_size_shares_its_error_among_hits_and_misses(design):
    found = design.rate(HIT, 0.95, Domain(np.arange(20) % 2 == 0, None))
    assert found.value == pytest.approx(0.398954703832753)
    assert (found.low, found.high) == pytest.approx((0.0258582120394886, 0.953258092381519))


def test_a_difference_from_what_the_weights_expect(design):
    found = design.difference_rate(HIT, 0.95)
    assert found.value == pytest.approx(0.372863647274254)
    assert (found.low, found.high) == pytest.approx((0.353080421294759, 0.405938429320926))
