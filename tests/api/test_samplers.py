"""Samplers of users: accepted everywhere, and never taken for equally likely where they aren't."""

from __future__ import annotations

import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, ClassVar

import numpy as np
import pytest
from msgspec import Meta

import onnxfi as fi
from onnxfi.sampling import SAMPLERS, from_recipe

MODEL = Path("models/lenet5_mnist_int8_qdq.onnx")


@dataclass(frozen=True, kw_only=True)
class HighBits:
    """The highest bit of one weight after another."""

    name: ClassVar[str] = "high-bits"
    help: ClassVar[str] = "the highest bit of one weight after another"
    design: ClassVar[str] = "top"

    n: Annotated[int, Meta(description="Scenarios.", ge=1)]

    def size(self, space):
        return self.n

    def scenario(self, space, k):
        numbers = np.array([(8 * k + 7) % space.size])
        return fi.Scenario(number=k, groups=space.scenario_groups(numbers, None))

    def recipe(self):
        return {"kind": self.name, "n": self.n}


class Unheard(HighBits):
    """One whose design nobody knows."""

    name: ClassVar[str] = "unheard"
    design: ClassVar[str] = "high-bits"


class Fair(HighBits):
    """One that says that its scenarios are equally likely."""

    name: ClassVar[str] = "fair"
    design: ClassVar[str] = "equal"


@pytest.fixture
def arrays() -> dict[str, np.ndarray]:
    with np.load("models/mnist_test1000.npz") as data:
        return {"image": data["image"][:8], "labels": data["labels"][:8]}


@pytest.fixture
def registered(monkeypatch):
    monkeypatch.setattr(SAMPLERS, "_registered", {})
    SAMPLERS.register(HighBits)


def test_picked_scenarios_give_no_rate(tmp_path, arrays, registered):
    sampler = HighBits(n=4)
    campaign = fi.Campaign.create(tmp_path / "c", model=MODEL, inputs=arrays, sampler=sampler)
    campaign.run(max_injections=2)
    assert from_recipe(campaign.opened.settings.sampler) == sampler
    again = fi.Campaign.open(tmp_path / "c")
    assert again.run().done_now == 2
    assert "of the scenarios run" in again.estimate("precision").method
    with pytest.raises(fi.ConfigError, match="no rate 'failure' can be had"):
        again.estimate("failure")


def test_equally_likely_ones_give_rates(tmp_path, arrays):
    """Another process, which knows nothing of the class, says the same."""
    campaign = fi.Campaign.create(
        tmp_path / "c", model=MODEL, inputs=arrays, sampler=Fair(n=3), targets=["bias"]
    )
    campaign.run()
    assert campaign.estimate("failure").method == "wilson"
    command = [sys.executable, "-m", "onnxfi", "status", str(tmp_path / "c")]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    assert "failure" in done.stdout


def test_an_unknown_design_is_refused(tmp_path, arrays):
    chosen = {"model": MODEL, "inputs": arrays}
    with pytest.raises(fi.ConfigError, match="unknown sampling design 'high-bits' in sampler unh"):
        fi.Campaign.create(tmp_path / "c", **chosen, sampler=Unheard(n=3))


def test_a_missing_design_is_refused(tmp_path, arrays):
    plain = type("Plain", (), {"name": "plain", "size": 3, "scenario": 3, "recipe": 3})
    with pytest.raises(fi.ConfigError, match=r"sampler Plain lacks design; .*says how rates"):
        fi.Campaign.create(tmp_path / "c", model=MODEL, inputs=arrays, sampler=plain())


def test_a_list_of_an_unknown_sampler_gives_no_rate(tmp_path, arrays):
    """As in lists of samplers that did not say their design."""
    campaign = fi.Campaign.create(
        tmp_path / "c", model=MODEL, inputs=arrays, sampler=Fair(n=3), targets=["bias"]
    )
    path = next((tmp_path / "c").glob("faults*"))
    header, _, rest = path.read_text().partition("\n")
    assert '"design":"equal"' in header
    listed = tmp_path / "list.jsonl"
    listed.write_text(header.replace('"design":"equal"', '"design":null') + "\n" + rest)
    campaign = fi.Campaign.create(tmp_path / "d", model=MODEL, inputs=arrays, faults=listed)
    campaign.run()
    assert list(campaign.summary().rates) == ["precision"]
    assert any("a sampler that is not known here" in note for note in campaign.summary().notes)
