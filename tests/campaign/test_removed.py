"""Tensors that optimisation removes: nobody looks for them before a report asks, and then once."""

from __future__ import annotations

import json
from collections.abc import Callable

import pytest

from onnxfi.campaign import OpenCampaign, open_campaign, summarize
from onnxfi.campaign import _removed as removed
from onnxfi.errors import CampaignMismatchError


@pytest.fixture
def campaign(create: Callable[..., OpenCampaign]) -> OpenCampaign:
    return create(targets=("activation",), op_types=("Conv",))


def test_a_campaign_is_made_without_looking(campaign: OpenCampaign) -> None:
    assert json.loads(campaign.folder.document.read_text())["removed"] is None
    assert summarize(campaign).removed is None
    assert not campaign.folder.removed.exists()


def test_a_report_looks_and_the_folder_keeps_it(
    campaign: OpenCampaign, monkeypatch: pytest.MonkeyPatch
) -> None:
    found = summarize(campaign, removed=True).removed
    assert found
    assert not any(entry.stored for entry in found)

    def refuse(*_: object) -> None:
        raise AssertionError("looked again")

    monkeypatch.setattr(removed, "_removed_sites", refuse)
    again = open_campaign(campaign.folder.path)
    assert summarize(again).removed == summarize(again, removed=True).removed == found


@pytest.mark.parametrize("text", ["", "{", '{"identity": "another", "removed": []}', "[1]"])
def test_a_file_that_is_not_of_this_campaign_is_made_again(
    campaign: OpenCampaign, text: str
) -> None:
    campaign.folder.removed.write_text(text)
    assert summarize(campaign).removed is None
    assert summarize(campaign, removed=True).removed
    assert summarize(campaign).removed


def test_another_machine_does_not_look(
    campaign: OpenCampaign, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(_: OpenCampaign) -> None:
        raise CampaignMismatchError("another CPU")

    monkeypatch.setattr(OpenCampaign, "check_surroundings", refuse)
    assert summarize(campaign, removed=True).removed is None
    assert not campaign.folder.removed.exists()
