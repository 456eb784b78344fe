"""The schema of settings: every setting is described, spelled once, and checked."""

from __future__ import annotations

import msgspec
import pytest

from onnxfi.errors import ConfigError
from onnxfi.settings import (
    CampaignSettings,
    RunOptions,
    SensitivityOptions,
    StopRule,
    absolute_paths,
    check_settings,
    parse_duration,
    settings_of,
    usual_text,
)

RECORDS = (CampaignSettings, RunOptions, StopRule, SensitivityOptions)


@pytest.mark.parametrize("record", RECORDS)
def test_every_field_is_a_setting_with_help(record: type[msgspec.Struct]) -> None:
    options = settings_of(record)
    assert list(options) == [field.name for field in msgspec.structs.fields(record)]
    for option in options.values():
        assert option.help.endswith((".", "...")), option.name
        assert len(option.help) > 10


def test_no_two_settings_have_one_spelling() -> None:
    flags = [
        option.flag
        for record in RECORDS
        for option in settings_of(record).values()
        if option.extra.get("group") not in (None, "level")
    ]
    assert len(flags) == len(set(flags))


def test_groups_choose_settings_in_the_order_of_the_record() -> None:
    assert list(settings_of(CampaignSettings, "reading", "judging")) == [
        "criterion",
        "criterion_output",
        "drop",
        "batch_axes",
        "whole_inputs",
        "samples_are_runs",
    ]


def test_defaults_are_told_in_words() -> None:
    options = settings_of(CampaignSettings)
    told = [usual_text(options[name]) for name in ("targets", "drop", "batch_size", "spikes")]
    assert told == ["weight", "0.05", "by the model", ""]


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        ({"drop": 0.0}, "drop is 0.0; expected"),
        ({"drop": 1.5}, "drop is 1.5; expected"),
        ({"batch_size": 0}, "batch_size is 0; expected"),
        ({"timeout_s": -1.0}, "timeout_s is -1.0; expected"),
        ({"graph": "fused"}, "unknown graph 'fused'; there are: stored, deployed"),
        ({"optimization": "al"}, "unknown optimization 'al'; did you mean 'all'"),
        ({"sampler": {}}, "neither a sampler nor a fault list"),
        ({"faults": "f.jsonl"}, "both a fault list"),
    ],
)
def test_values_that_no_campaign_can_have_are_refused(wrong: dict[str, object], said: str) -> None:
    chosen = {"model": "m.onnx", "inputs": "x.npz", "sampler": {"kind": "uniform"}} | wrong
    with pytest.raises(ConfigError, match=said):
        check_settings(CampaignSettings(**chosen))  # type: ignore[arg-type]


def test_paths_are_made_absolute_and_nothing_else(tmp_path, monkeypatch) -> None:
    monkeypatch.chdir(tmp_path)
    given = {"model": "m.onnx", "inputs": "random:4:0", "custom_ops": ("a.so",), "drop": 0.1}
    found = absolute_paths({**given, "sampler": {"kind": "top", "scores": "s.npz"}})
    assert found == {
        "model": str(tmp_path / "m.onnx"),
        "inputs": "random:4:0",
        "custom_ops": (str(tmp_path / "a.so"),),
        "sampler": {"kind": "top", "scores": str(tmp_path / "s.npz")},
    }


@pytest.mark.parametrize("text", ["", "soon", "0", "3w"])
def test_what_is_no_duration_is_refused(text: str) -> None:
    with pytest.raises(ConfigError, match="duration"):
        parse_duration(text)
