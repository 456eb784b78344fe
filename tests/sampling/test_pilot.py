from __future__ import annotations

import numpy as np
import pytest

from onnxfi.errors import ConfigError
from onnxfi.sampling import UniformSampler, allot, expected_rates, strata


def test_strata_know_their_own_faults(mixed):
    for by in (["site"], ["bit"], ["kind", "field"]):
        found = strata(mixed, by)
        held = np.array([stratum.holds(np.arange(mixed.size)) for stratum in found])
        assert (held.sum(axis=0) == 1).all()
        for stratum, mine in zip(found, held, strict=True):
            assert set(np.flatnonzero(mine)) == set(stratum.numbers(np.arange(stratum.size)))


def test_rates_by_hand(mixed):
    found = strata(mixed, ["site"])
    numbers = np.concatenate([stratum.numbers(np.arange(10)) for stratum in found[:3]])
    failed = np.isin(np.arange(30), [0, 1, 12])
    rates = expected_rates(found, numbers, failed)
    everywhere = 3.5 / 31
    assert rates["conv.weight"] == pytest.approx(2.5 / (10 + 0.5 / everywhere))
    assert rates["conv.out"] == pytest.approx(1.5 / (10 + 0.5 / everywhere))
    assert rates["fc.weight"] == pytest.approx(0.5 / (10 + 0.5 / everywhere))
    assert rates["fc.out"] == pytest.approx(everywhere)  # nothing seen: as the whole
    assert (allot(found, 100, rates, 0) > 0).all()
    with pytest.raises(ConfigError, match="without scenarios"):
        expected_rates(found, numbers[:0], failed[:0])


BITS = np.r_[np.zeros(23), [0, 0, 1e-4, 1e-3, 2e-3, 5e-3, 0.01, 0.5], 0.02]
LAYERS = np.array([0.2, 0.1, 0.05, 0.03, 0.02, 0.015, 0.01])
CASES = {  # sizes, rates, and the variance that the pilot saves at least on average
    "bits of float32": (np.ones(32), BITS, 3.5),
    "layers that are much alike": (np.array([1, 2, 5, 10, 20, 30, 32]), LAYERS, 0.95),
    "rare": (np.ones(32), np.r_[np.zeros(30), 0.02, 0.001], 1.0),
}


class _Part:
    """A stratum that is told by the fault's number modulo their count."""

    def __init__(self, key: str, start: int, size: int) -> None:
        self.key, self.start, self.size = key, start, size

    def holds(self, numbers):
        return (numbers >= self.start) & (numbers < self.start + self.size)


@pytest.mark.parametrize("name", CASES)
def test_a_pilot_saves_variance_and_never_costs_much(name):
    """n times the variance, against that of uniform sampling; exact but for the pilot."""
    sizes, rates, least = CASES[name]
    share = sizes / sizes.sum()
    counts = (share * 200_000).astype(int)
    parts = [_Part(str(i), int(counts[:i].sum()), int(count)) for i, count in enumerate(counts)]
    truth = float(share @ rates)
    rng, gains = np.random.default_rng(0), []
    for _ in range(100):
        numbers = rng.integers(0, counts.sum(), 300)
        home = np.searchsorted(np.cumsum(counts), numbers, side="right")
        told = expected_rates(parts, numbers, rng.random(300) < rates[home])
        n = allot(parts, 1000, told, 1)
        variance = float((share**2 * rates * (1 - rates) / n).sum())
        gains.append(truth * (1 - truth) / 1000 / variance)
    assert 1 / np.mean(1 / np.array(gains)) > least
    assert np.quantile(gains, 0.05) > 0.9


def test_the_pilots_own_faults_are_drawn_anew(mixed):
    from onnxfi.sampling import StratifiedSampler

    pilot = UniformSampler(n=100, seed=3).fault_numbers(mixed, 0, 100)
    drawn = StratifiedSampler(n=100, by=["site"], seed=3).fault_numbers(mixed, 0, 100)
    common = len(np.intersect1d(pilot, drawn))
    assert common < 20  # 100 of 1,600 twice: 6 on average
