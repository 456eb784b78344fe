"""The study of spiking networks: its campaigns, its plots, and what the documentation quotes."""

from __future__ import annotations

import json
import re
from pathlib import Path
from xml.etree import ElementTree

import pytest
from spikestudy.campaigns import NETWORKS, PARTS, ROOT, STEPS, command, folder_of, studies
from spikestudy.figures import crowd_figure, part_figure, step_figure
from spikestudy.results import Result
from spikestudy.tables import tables

from onnxfi.faults import SiteFilter, enumerate_sites
from onnxfi.graph import load

DOCS = ROOT / "docs"
FIGURES = {"parts": part_figure, "steps": step_figure, "neurons": crowd_figure}


@pytest.fixture(scope="module")
def found() -> list[Result]:
    rows = json.loads((DOCS / "spiking.json").read_text(encoding="utf-8"))
    return [Result(**row) for row in rows]


@pytest.mark.parametrize("network", NETWORKS, ids=lambda network: network.name)
def test_every_campaign_chooses_sites_of_its_network(network):
    model = load(ROOT / network.file)
    sites = enumerate_sites(model.index, model.inputs, model.outputs).sites
    every = list(studies(network, 1.0))
    folders = [folder_of(study, Path("runs")) for study in every]
    assert len(set(folders)) == len(every)
    for study in every:
        words = command(study, Path("runs/x"), Path("x.npz"))
        given = {name: words[words.index(name) + 1] for name in words if name.startswith("--")}
        steps = given.get("--step", "")
        chosen = SiteFilter(
            targets=tuple(given["--targets"].split(",")),
            include=(given["--include"],) if "--include" in given else (),
            op_types=(given["--op-type"],) if "--op-type" in given else (),
            parts=tuple(given["--part"].split(",")) if "--part" in given else (),
            steps=tuple(range(STEPS)) if "-" in steps else tuple(map(int, steps or ())),
            over_steps="--over-steps" in words,
        ).select(sites)
        assert chosen
        if study.group in ("dead", "saturated"):
            assert len(chosen) == 1
            assert len(chosen[0].members) == (0 if network.looped else STEPS)
    assert {study.key for study in every if study.group == "part"} == set(PARTS)


def test_the_page_quotes_the_figures(found):
    page = (DOCS / "spiking.md").read_text(encoding="utf-8")
    for line in tables(found).splitlines():
        assert line in page, line
    for name in FIGURES:
        assert f"spiking-{name}.svg" in page


@pytest.mark.parametrize("name", FIGURES)
def test_the_plots_are_those_of_the_figures(name, found):
    text = FIGURES[name](found)
    assert (DOCS / f"spiking-{name}.svg").read_text(encoding="utf-8") == text
    root = ElementTree.fromstring(text)
    width, height = float(root.attrib["width"]), float(root.attrib["height"])
    marks = [each for each in root.iter() if each.tag.endswith(("rect", "circle", "line"))]
    assert len(marks) > 20
    for each in marks:
        for key, value in each.attrib.items():
            if re.fullmatch(r"[xy][12]?|c[xy]", key):
                assert -0.1 <= float(value) <= (width if "x" in key else height)


def test_shares_of_outcomes_are_shares(found):
    for each in found:
        assert sum(each.outcomes.values()) == pytest.approx(1)
        assert each.failed[1] <= each.failed[0] <= each.failed[2]
        assert each.failed[0] == pytest.approx(each.outcomes["critical"] + each.outcomes["due"])
