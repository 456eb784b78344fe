"""Graph faults: numbers, texts, list files, and what they can't be combined with."""

from __future__ import annotations

import msgspec
import numpy as np
import pytest
from onnx import parser, save_model

from onnxfi.bits import ElementType
from onnxfi.errors import ConfigError, FaultError, FaultListError
from onnxfi.faults import (
    BitFlip,
    FaultListHeader,
    FaultSite,
    FaultSpace,
    GraphFault,
    SampleLayout,
    SiteKind,
    graphs_of,
    merge_groups,
    parse_fault_model,
    read_fault_list,
    recipe_space,
    write_fault_list,
)
from onnxfi.sampling import BitErrorRateSampler, SampledScenarios, UniformSampler

HEAD = '<ir_version: 10, opset_import: ["" : 18]>'
DRIFT = parser.parse_model(
    f"""{HEAD} g (float[n, k] x, float scale) => (float[n, k] y)
    <float scale = {{1.5}}> {{ y = Mul(x, scale) }}"""
)


def _site(name, kind=SiteKind.ACTIVATION, element=ElementType.FLOAT, elements=6):
    return FaultSite(
        name=name,
        kind=kind,
        element=element,
        node="n",
        op_type="Relu",
        layer="n",
        layout=SampleLayout(shape=(1, elements), batch_axis=0),
    )


SITES = (
    _site("a"),
    _site("b", elements=4),
    _site("w", SiteKind.WEIGHT),
    _site("q", element=ElementType.INT8),
)
BY_NAME = {site.name: site for site in SITES}


def test_numbers_are_elements_of_sites_that_fit():
    single, whole = GraphFault(DRIFT), GraphFault(DRIFT, whole=True)
    assert [single.variants(site) for site in SITES] == [6, 4, 0, 0]
    assert [whole.variants(site) for site in SITES] == [1, 1, 0, 0]
    space = FaultSpace(SITES, [single, whole, BitFlip("0")])
    assert space.size == 10 + 2 + 22
    for number in range(space.size):
        groups = space.scenario_groups(np.array([number]))
        assert space.fault_number(groups) == number
        assert groups == space.single_groups(np.array([number]))[0]
        assert (groups[0].graph is None) == (number >= 12)
    with pytest.raises(FaultError, match="applies to none"):
        FaultSpace(SITES[2:], [single])


def test_text(tmp_path):
    path = tmp_path / "drift.onnx"
    save_model(DRIFT, path)
    found = parse_fault_model(f"graph:{path}:whole:scale=2")
    assert found == GraphFault(DRIFT, {"scale": 2}, whole=True)
    assert found != parse_fault_model(f"graph:{path}:scale=2")
    graphs = graphs_of([found])
    assert parse_fault_model(found.spec(), graphs=graphs) == found
    for text, message in (
        ("graph", "names no file"),
        (f"graph:{path}:scale=much", "expected a number"),
        (f"graph:{path}:gain=2", "no parameter 'gain'"),
        (f"graph:{tmp_path}/none.onnx", "none.onnx"),
        (found.spec(), "is not in the header's 'fault_graphs'"),
    ):
        with pytest.raises(ConfigError, match=message):
            parse_fault_model(text)
    with pytest.raises(ConfigError, match="leave bits out"):
        parse_fault_model(f"graph:{path}", "exponent")


def test_lists_hold_the_graph(tmp_path):
    model = GraphFault(DRIFT, {"scale": 3})
    space = FaultSpace(SITES[:2], [model, GraphFault(DRIFT, whole=True)])
    sampler = UniformSampler(n=6, seed=1)
    source = SampledScenarios(space, sampler)
    header = FaultListHeader(
        space=space.describe(), sampler=sampler.recipe(), fault_graphs=graphs_of(space.models)
    )
    path = tmp_path / "faults.jsonl"
    write_fault_list(path, header, source, BY_NAME)
    listed = read_fault_list(path, BY_NAME)
    assert listed.scenarios == tuple(source)
    assert recipe_space(listed.header, BY_NAME).models == space.models
    lines = path.read_text().splitlines()
    told = msgspec.json.decode(lines[0])
    told["fault_graphs"] = dict.fromkeys(told["fault_graphs"], "AAAA")
    path.write_text("\n".join([msgspec.json.encode(told).decode(), *lines[1:]]))
    with pytest.raises(FaultListError, match=r":2: fault graph .* can't be a fault"):
        read_fault_list(path, BY_NAME)
    (first, second), names = list(told["fault_graphs"]), space.models
    told["fault_graphs"] = {first: graphs_of(names)[second], second: graphs_of(names)[first]}
    path.write_text("\n".join([msgspec.json.encode(told).decode(), *lines[1:]]))
    with pytest.raises(FaultListError, match="has another content"):
        read_fault_list(path, BY_NAME)


@pytest.mark.parametrize(
    ("entry", "message"),
    [
        ({"site": "w", "index": 0}, "is stored"),
        ({"site": "q", "index": 0}, "computes FLOAT, the site holds INT8"),
        ({"site": "a", "index": 0, "sample": 3}, "there in every sample"),
        ({"site": "a", "index": 9}, "out of range"),
        ({"site": "a", "index": 1, "whole": True}, "only element 0"),
        ({"site": "a", "index": 0, "flip": 3}, "expected one of"),
        (
            {"site": "a", "index": 0, "flip": 3, "fault_graph": None, "whole": True},
            "whole goes with",
        ),
    ],
)
def test_wrong_lines(tmp_path, entry, message):
    model = GraphFault(DRIFT)
    line = {"scenario": 0, "faults": [{"fault_graph": model.graph.sha256, **entry}]}
    header = {"schema": "onnxfi/faults/1", "fault_graphs": graphs_of([model])}
    path = tmp_path / "faults.jsonl"
    path.write_bytes(b"\n".join(map(msgspec.json.encode, (header, line))))
    with pytest.raises(FaultListError, match=message):
        read_fault_list(path, BY_NAME)


def test_several_at_once():
    model = GraphFault(DRIFT)
    space = FaultSpace(SITES[:2], [model])
    (first, second) = space.scenario_groups(np.array([3, 1, 3, 7]))
    assert first.index.tolist() == [3, 1, 3]
    assert second.graph == model.graph
    scenario = BitErrorRateSampler(ber=1.0, n=1).scenario(space, 0)
    assert [len(group) for group in scenario.groups] == [6, 4]
    assert merge_groups(scenario).groups[0].graph == model.graph
    mixed = FaultSpace(SITES[:2], [model, BitFlip("0")])
    with pytest.raises(FaultError, match="can't be combined"):
        mixed.scenario_groups(np.array([0, 12]))
    with pytest.raises(ConfigError, match="there in every sample"):
        BitErrorRateSampler(ber=1.0, n=1, per_sample=True, samples=3).scenario(space, 0)
