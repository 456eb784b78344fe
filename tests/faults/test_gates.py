"""Sites of single gates: which elements they hold, by name, in filters and in whole tensors."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from onnxfi.bits import ElementType
from onnxfi.errors import ConfigError
from onnxfi.faults import (
    BitFlip,
    Burst,
    FaultSite,
    FaultSpace,
    SampleLayout,
    Scenario,
    SiteFilter,
    SiteKind,
    find_site,
    site_bits,
    whole_scenario,
    whole_tensors,
)
from onnxfi.graph import Gates


def _site(shape, gates, name="w"):
    return FaultSite(
        name=name,
        kind=SiteKind.WEIGHT,
        element=ElementType.FLOAT,
        node="LSTM#1",
        op_type="LSTM",
        layer="LSTM#1",
        layout=SampleLayout(shape=shape, batch_axis=None),
        gates=gates,
    )


def _plain():
    return FaultSite(
        name="conv",
        kind=SiteKind.WEIGHT,
        element=ElementType.FLOAT,
        node="c",
        op_type="Conv",
        layer="c",
        layout=SampleLayout(shape=(3,), batch_axis=None),
    )


LSTM = _site((2, 12, 5), Gates(axis=1, size=3, blocks=tuple("iofc")))
BIAS = _site((2, 24), Gates(axis=1, size=3, blocks=tuple("iofciofc")), "b")
QUANTIZED = _site((1, 5, 12), Gates(axis=2, size=3, blocks=tuple("iofc")), "q")
TORCH = _site((12, 5), Gates(axis=0, size=3, blocks=tuple("ifco")), "t")


def _codes(site):
    """The gate of every element, flat."""
    line = np.repeat(np.array(site.gates.blocks), site.gates.size)
    shape = site.layout.shape
    along = [-1 if axis == site.gates.axis else 1 for axis in range(len(shape))]
    return np.broadcast_to(line.reshape(along), shape).reshape(-1)


@given(site=st.sampled_from([LSTM, BIAS, QUANTIZED, TORCH]), gate=st.sampled_from("iofc"))
def test_all_elements_of_a_gate_and_no_others(site, gate):
    part = site.of_gate(gate)
    space = FaultSpace([part], [BitFlip(bits=0)])
    sites = {part.name: part}
    groups = space.scenario_groups(np.arange(space.size))
    (group,) = whole_scenario(Scenario(number=0, groups=groups), sites).groups
    assert group.site == site.name
    np.testing.assert_array_equal(group.index, np.flatnonzero(_codes(site) == gate))


def test_gates_share_the_bits_of_their_tensor():
    parts = [LSTM.of_gate(gate) for gate in "iofc"]
    assert sum(map(site_bits, parts)) == site_bits(LSTM)
    assert LSTM.of_gate("z") is None
    assert whole_tensors(parts) == (LSTM,)


def test_faults_of_two_gates_are_faults_of_one_tensor():
    parts = {part.name: part for part in (LSTM.of_gate("i"), LSTM.of_gate("f"))}
    space = FaultSpace(list(parts.values()), [BitFlip(bits=0)])
    groups = space.scenario_groups(np.array([0, space.size - 1]))
    (group,) = whole_scenario(Scenario(number=0, groups=groups), parts).groups
    assert group.index.tolist() == [0, 60 + 9 * 5 - 1]


def test_bursts_stay_inside_a_gate():
    part = BIAS.of_gate("o")
    space = FaultSpace([part], [Burst(along="row", effect="zero")])
    groups = space.scenario_groups(np.array([1]))
    (group,) = whole_scenario(Scenario(number=0, groups=groups), {part.name: part}).groups
    assert group.index.tolist() == [27, 28, 29, 39, 40, 41]


def test_names_and_filters():
    sites = [LSTM, _plain()]
    chosen = SiteFilter(gates=("f", "i")).select(sites)
    assert [site.name for site in chosen] == ["w[gate=f]", "w[gate=i]"]
    assert {site.tensor for site in chosen} == {"w"}
    found = find_site("w[gate=c]", {"w": LSTM})
    assert found is not None
    assert found.whole() == LSTM
    by_name = SiteFilter(include=("w[gate=c]",)).select(sites)
    assert [site.name for site in by_name] == ["w[gate=c]"]
    with pytest.raises(ConfigError, match=r"no chosen site has gate 'z'; they are i, o, f, c"):
        SiteFilter(gates=("z",)).select(sites)
    with pytest.raises(ConfigError, match="no recurrent operator"):
        SiteFilter(gates=("z",)).select([_plain()])
