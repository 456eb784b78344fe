"""One campaign of each engine on an integer network: what they decide is the same, on any CPU."""

from __future__ import annotations

import pytest

from onnxfi.campaign import run_campaign

pytestmark = pytest.mark.cpu
SHORT = {"sampler": {"kind": "uniform", "n": 6, "seed": 4}, "inputs": "random:6:2"}


def _decided(rows):
    return [(row["critical"], row["due_nonfinite"], row["due_exception"]) for row in rows]


@pytest.mark.parametrize("graph", ["stored", "deployed"])
def test_engines_decide_alike(create, rows_of, graph):
    """Kernels that saturate do so in other sums of each graph, but all engines run one."""
    found = {}
    for engine in ("lift", "ports", "cut"):
        campaign = create(engine, engine=engine, graph=graph, **SHORT)
        run_campaign(campaign)
        found[engine] = _decided(rows_of(campaign))
    assert found["lift"] == found["ports"] == found["cut"]
    campaign = create("bake", engine="bake", graph=graph, **SHORT)
    assert run_campaign(campaign).done_now == 6
