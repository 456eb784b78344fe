"""Domains by channel: counted by hand, on drawn and on listed scenarios."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass

import numpy as np
import pytest

from onnxfi.analysis import channel_facet, domain_table
from onnxfi.faults import BitFlip, Burst, StuckAt
from onnxfi.sampling import (
    BitErrorRateSampler,
    ExhaustiveSampler,
    ListedScenarios,
    SampledScenarios,
    UniformSampler,
)


@dataclass(frozen=True)
class Modulo:
    size: int

    def of(self, index):
        return index % self.size


CHANNELS = {"conv.weight": Modulo(5), "fc.weight": Modulo(4)}


def facet_of(floats, source, n):
    sites = {site.name: site for site in floats}
    return channel_facet(source, sites, CHANNELS, n)


def keys_of(facet):
    return ["" if code < 0 else facet.keys[code] for code in facet.codes]


def test_a_census_by_hand(floats, space_of):
    space = space_of(floats, BitFlip(), StuckAt(1, bits="sign"))
    source = SampledScenarios(space, ExhaustiveSampler())
    facet = facet_of(floats, source, len(source))
    assert len(facet.keys) == 9
    assert facet.bits == (10 * 32,) * 9
    assert facet.faults == (10 * 33,) * 9
    found = Counter(keys_of(facet))
    assert found.pop("") == 10 * 33  # the bias has no known channels
    assert set(found.values()) == {10 * 33}
    for k in (0, 77, 2_000):
        (group,) = source.scenario(k).groups
        if group.site in CHANNELS:
            wanted = f"{group.site}:{int(group.index[0]) % CHANNELS[group.site].size}"
            assert keys_of(facet)[k] == wanted


def test_drawn_and_listed_agree(floats, space_of):
    source = SampledScenarios(space_of(floats), UniformSampler(n=60, seed=1))
    listed = ListedScenarios(list(source))
    drawn, told = facet_of(floats, source, 60), facet_of(floats, listed, 60)
    assert keys_of(drawn) == keys_of(told)
    assert (drawn.faults is None, told.faults is None) == (False, True)


@pytest.mark.parametrize(
    ("models", "sampler"),
    [
        ([Burst(3, along="elements")], UniformSampler(n=30)),
        ([BitFlip()], UniformSampler(n=30, faults_per_scenario=3)),
        ([BitFlip()], BitErrorRateSampler(ber=0.001, n=30)),
    ],
)
def test_faults_in_several_channels_are_in_none(floats, space_of, models, sampler):
    source = SampledScenarios(space_of(floats, *models), sampler)
    facet = facet_of(floats, source, 30)
    assert facet.faults is None
    for code, scenario in zip(facet.codes, source, strict=True):
        touched = {
            (group.site, int(index) % CHANNELS[group.site].size)
            for group in scenario.groups
            if group.site in CHANNELS
            for index in group.index
        }
        single = len(touched) == 1 and {group.site for group in scenario.groups} <= set(CHANNELS)
        assert (code >= 0) == single


def test_rates_by_channel_of_a_census_are_exact(floats, space_of, observed):
    source = SampledScenarios(space_of(floats), ExhaustiveSampler())
    facet = facet_of(floats, source, len(source))
    failing = facet.codes == 2
    table = domain_table(observed(10 * failing, np.zeros(len(source), int)), facet)
    rates = {row.key: (row.rate.value, row.rate.method) for row in table.rows}
    assert rates.pop(facet.keys[2]) == (1.0, "census")
    assert set(rates.values()) == {(0.0, "census")}
    assert table.left_out == 320
