from __future__ import annotations

from collections import Counter

import numpy as np
import pytest

from onnxfi.analysis import absent_facets, listed_facets, source_facets, space_facets
from onnxfi.bits import ElementType
from onnxfi.faults import BitFlip, Burst, SetValue, StuckAt
from onnxfi.sampling import (
    BitErrorRateSampler,
    ExhaustiveSampler,
    ListedScenarios,
    SampledScenarios,
    UniformSampler,
)

MODELS = {
    "flip": [BitFlip()],
    "two flips": [BitFlip(count=2)],
    "one bit": [BitFlip(bits=30)],
    "field": [BitFlip(bits="exponent")],
    "stuck and flip": [StuckAt(0, bits="sign"), BitFlip()],
    "burst of bits": [Burst(length=3)],
    "burst of elements": [Burst(length=5, along="elements")],
    "value": [SetValue(0.5)],
}


def keys_of(facet):
    return ["" if code < 0 else facet.keys[code] for code in facet.codes]


@pytest.mark.parametrize("name", MODELS)
def test_arithmetic_agrees_with_looking_at_each_scenario(floats, space_of, name):
    space = space_of(floats, *MODELS[name])
    source = SampledScenarios(space, ExhaustiveSampler())
    n = min(len(source), 400)
    drawn = source_facets(source, {}, n)
    listed = listed_facets(
        (source.scenario(k) for k in range(n)), {site.name: site for site in floats}
    )
    for fast, slow in zip(drawn, listed, strict=True):
        assert fast.name == slow.name
        assert keys_of(fast) == keys_of(slow)
        bits = dict(zip(fast.keys, fast.bits, strict=True))
        assert dict(zip(slow.keys, slow.bits, strict=True)).items() <= bits.items()
        assert slow.faults is None


@pytest.mark.parametrize("name", MODELS)
def test_sizes_of_domains_are_those_of_a_census(floats, space_of, name):
    space = space_of(floats, *MODELS[name])
    for facet in space_facets(space, np.arange(space.size), finite=True):
        census = Counter(key for key in keys_of(facet) if key)
        assert set(census) == set(facet.keys)
        if facet.faults is not None:
            assert dict(zip(facet.keys, facet.faults, strict=True)) == census
        elif facet.name not in ("bit", "field"):
            pytest.fail(f"sizes by {facet.name} are always known")


def test_plain_bit_flips_know_all_their_sizes(floats, space_of):
    space = space_of(floats)
    by_name = {f.name: f for f in space_facets(space, np.arange(9), finite=True)}
    assert by_name["bit"].keys == tuple(map(str, range(32)))
    assert by_name["bit"].faults == (100,) * 32 == by_name["bit"].bits
    fields = dict(zip(by_name["field"].keys, by_name["field"].faults or (), strict=True))
    assert fields == {"sign": 100, "exponent": 800, "mantissa": 2300}
    assert by_name["layer"].faults == (60 * 32, 40 * 32) == by_name["layer"].bits
    assert by_name["op_type"].keys == ("Conv", "Gemm")
    assert by_name["kind"].keys == ("weight", "bias")


def test_independent_draws_have_no_sizes(floats, space_of):
    for facet in space_facets(space_of(floats), np.arange(9), finite=False):
        assert facet.faults is None


def test_bits_of_different_types_are_kept_apart(quantized, space_of):
    space = space_of(quantized)
    facets = {f.name: f for f in space_facets(space, np.arange(space.size), finite=True)}
    keys = [f"int8:{bit}" for bit in range(8)] + [f"int32:{bit}" for bit in range(32)]
    assert list(facets["bit"].keys) == keys
    assert facets["bit"].faults == (80,) * 8 + (5,) * 32
    assert set(facets["field"].keys) == {"sign", "magnitude"}
    assert sum(facets["field"].bits) == space.bits


def test_random_models_have_sites_but_no_bits(floats, space_of):
    space = space_of(floats, SetValue("random"))
    source = SampledScenarios(space, UniformSampler(n=250, seed=1))
    facets = {facet.name: facet for facet in source_facets(source, {}, 250)}
    assert facets["bit"].keys == ()
    assert (facets["bit"].codes == -1).all()
    assert facets["site"].keys == ("conv.weight", "conv.bias", "fc.weight")
    assert facets["site"].faults is None


def test_scenarios_on_several_sites_are_in_no_domain(floats, space_of):
    space = space_of(floats)
    sampler = UniformSampler(n=40, seed=2, faults_per_scenario=2)
    scenarios = [sampler.scenario(space, k) for k in range(40)]
    sites = {site.name: site for site in floats}
    facets = {facet.name: facet for facet in listed_facets(scenarios, sites)}
    for k, scenario in enumerate(scenarios):
        single = len(scenario.sites) == 1
        assert (facets["site"].codes[k] >= 0) == single
        assert (facets["layer"].codes[k] >= 0) == single
        assert facets["bit"].codes[k] == -1
    assert 0 < (facets["site"].codes >= 0).sum() < 40


def test_each_source_says_what_it_can(floats, space_of):
    space = space_of(floats)
    uniform = SampledScenarios(space, UniformSampler(n=20, seed=1))
    sites = {site.name: site for site in floats}
    listed = ListedScenarios([uniform.scenario(k) for k in range(20)])
    fast, slow = source_facets(uniform, sites, 12), source_facets(listed, sites, 12)
    assert [keys_of(facet) for facet in fast] == [keys_of(facet) for facet in slow]
    ber = SampledScenarios(space, BitErrorRateSampler(ber=0.01, n=5))
    for facet in source_facets(ber, sites, 5):
        assert "ber sampler holds several faults" in facet.reason
        assert (facet.codes == -1).all()
    assert len(absent_facets(3, "because")[0].codes) == 3


def test_a_model_numbered_in_its_own_way_is_noticed(floats, space_of):
    """Bit-major numbering: the variants of one element are not neighbours."""

    class BitMajor:
        enumerable = True

        def spec(self):
            return "bit-major"

        def variants(self, site):
            return site.layout.elements * 32

        def columns(self, site, numbers, rng):
            elements = site.layout.elements
            flat = (numbers % elements) * 32 + numbers // elements
            return BitFlip().columns(site, flat, rng)

        def number(self, site, group):
            return None

    space = space_of(floats, BitMajor())
    facets = {f.name: f for f in space_facets(space, np.arange(space.size), finite=True)}
    assert facets["bit"].faults is None
    assert facets["bit"].keys == tuple(map(str, range(32)))
    assert np.bincount(facets["bit"].codes).tolist() == [100] * 32
    assert facets["site"].faults == (1600, 320, 1280)


def test_a_million_scenarios_are_placed_in_no_time(space_of, floats):
    big = [
        type(floats[0])(
            **{
                **{name: getattr(floats[0], name) for name in floats[0].__slots__},
                "name": f"w{k}",
                "element": ElementType.FLOAT,
            }
        )
        for k in range(200)
    ]
    space = space_of(big)
    numbers = np.random.default_rng(0).integers(0, space.size, 300_000)
    facets = {facet.name: facet for facet in space_facets(space, numbers, finite=True)}
    assert np.array_equal(facets["site"].codes, numbers // (50 * 32))
    assert np.array_equal(facets["bit"].codes, numbers % 32)


def test_an_unknown_source_has_no_domains():
    class Elsewhere:
        population = None

        def __len__(self):
            return 2

        def scenario(self, k):
            raise NotImplementedError

        def fault_numbers(self, start, stop):
            return None

    facets = source_facets(Elsewhere(), {}, 2)
    assert all(facet.keys == () and "doesn't say" in facet.reason for facet in facets)
