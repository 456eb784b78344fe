"""The deployed graph of every format: its tensors are sites, and engines agree on them."""

from __future__ import annotations

from contextlib import closing
from dataclasses import replace

import numpy as np
import pytest

from onnxfi.bits import format_of
from onnxfi.engine import ENGINES, deployed, open_engine, profile
from onnxfi.faults import FaultGroup, Scenario, enumerate_sites

pytestmark = pytest.mark.cpu


def _flip(site, number):
    elements = site.layout.elements
    group = FaultGroup(
        site=site.name,
        index=np.array([np.random.default_rng(number).integers(elements)]),
        and_mask=np.array([2**64 - 1], np.uint64),
        xor_mask=np.array([1 << (format_of(site.element).width - 1)], np.uint64),
    )
    return Scenario(number=number, groups=(group,))


def test_faults_in_the_deployed_graph(format_name, study, runs_optimized):
    if not runs_optimized(format_name):
        pytest.skip("onnxruntime can't optimise this model")
    context = study(format_name).context
    settings = replace(context.settings, graph="deployed")
    graph = deployed(context.model, settings)
    found = profile(graph, context.workload, settings)
    table = enumerate_sites(graph.index, graph.inputs, graph.outputs, found.layouts, found.left_out)
    first = {}
    for site in table.sites:
        first.setdefault((site.kind, site.element, site.op_type), site)
    sites = tuple(first.values())
    assert any(site.kind.stored for site in sites)
    assert any(not site.kind.stored for site in sites)
    context = replace(context, model=graph, profile=found, settings=settings, sites=sites)
    scenarios = [_flip(site, number) for number, site in enumerate(sites)]
    given = {}
    for name in ("bake", "ports", "cut"):
        able = tuple(site for site in sites if ENGINES.get(name).refuses(site) is None)
        mine = [each for each in scenarios if each.sites[0] in {site.name for site in able}]
        with closing(open_engine(name, replace(context, sites=able))) as engine:
            for scenario, injection in zip(mine, engine.run_many(mine), strict=True):
                given.setdefault(scenario.number, {})[name] = injection.counts
    for number, counts in given.items():
        decided = {(each.critical, each.due) for each in counts.values()}
        assert len(decided) == 1, (sites[number], counts)
        if not sites[number].kind.stored:  # lifted, a stored tensor is not packed any more
            assert len(set(map(str, counts.values()))) == 1, (sites[number], counts)
