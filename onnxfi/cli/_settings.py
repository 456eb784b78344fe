"""From the options of ``run`` to campaign settings: all, or those given over stored ones."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Any

import click
import msgspec

from onnxfi.cli._choose import (
    check_inputs_given,
    fault_graphs,
    fault_specs,
    given_settings,
)
from onnxfi.cli._samplers import over_recipe, sampler_flags, sampler_names, sampler_recipe
from onnxfi.settings import CampaignSettings, absolute_paths, settings_of

#: Groups of settings that go into a campaign as the options say them.
_GROUPS = (
    "model",
    "inputs",
    "state",
    "reading",
    "sites",
    "judging",
    "engine",
    "provider",
    "graph",
    "runs",
    "watching",
)
_PLAIN = settings_of(CampaignSettings, *_GROUPS)
_FAULT = ("fault_models", "bits")
_SAMPLER = sampler_names()
SETTING_OPTIONS = (*_PLAIN, *_FAULT, *_SAMPLER, "faults")
#: What a fault list decides by itself: option, flag.
_DECIDED_BY_LIST = {
    **{name: each.flag for name, each in settings_of(CampaignSettings, "sites", "faults").items()},
    "bits": "--bits",
    **sampler_flags(),
}


def new_settings(options: Mapping[str, Any], given: Collection[str]) -> CampaignSettings:
    """The settings of a new campaign.

    Args:
        options: Values of all options, by name.
        given: Names of those that the user gave.

    Raises:
        UsageError: Model or inputs are missing, or options contradict each other.
    """
    if options["model"] is None:
        raise click.UsageError("a new campaign needs --model (and one that exists, its folder)")
    if options["faults"] is None:
        check_inputs_given(options["targets"] or (), options["inputs"])
    if options["inputs"] is None:
        raise click.UsageError(
            "a new campaign needs --inputs, the samples to run (random:64:0 for a first try)"
        )
    values: dict[str, Any] = {}
    if options["faults"] is not None:
        _refuse_with_faults(given)
        values["faults"] = options["faults"]
    else:
        values["sampler"] = sampler_recipe(options)
    return msgspec.structs.replace(study_settings(options), **values)


def study_settings(options: Mapping[str, Any]) -> CampaignSettings:
    """Settings without scenarios: the model, its faults and what a failure is.

    Args:
        options: Values of options by name; settings of options that are not among them are the
            defaults.
    """
    return CampaignSettings(
        **given_settings(options, *_GROUPS),
        fault_models=fault_specs(options),
        fault_graphs=fault_graphs(options),
    )


def changed_settings(
    stored: CampaignSettings, options: Mapping[str, Any], given: Collection[str]
) -> CampaignSettings:
    """Stored settings with the options that were given again; equal if these ask for the same."""
    changes: dict[str, Any] = {name: options[name] for name in _PLAIN if name in given}
    if any(name in given for name in _FAULT):
        changes["fault_models"] = fault_specs(options)
        changes["fault_graphs"] = fault_graphs(options)
    if "faults" in given:
        _refuse_with_faults(given)
        changes |= {"faults": options["faults"], "sampler": {}}
    elif any(name in given for name in _SAMPLER):
        asked = over_recipe(stored.sampler, options, given)
        recipe = sampler_recipe(asked)
        if recipe.get("per_sample") and changes.get("inputs", stored.inputs) == stored.inputs:
            recipe["samples"] = stored.sampler.get("samples")
        # --confidence alone may only be meant for the intervals of the report.
        if not (set(given) & set(_SAMPLER) == {"confidence"} and "n" in stored.sampler):
            changes |= {"sampler": recipe, "faults": None}
    elif stored.faults is not None:
        _refuse_with_faults(given)
    return msgspec.structs.replace(stored, **(changes | absolute_paths(changes)))


def describe_changes(stored: CampaignSettings, wanted: CampaignSettings) -> str:
    """What two settings differ in, for a message: ``seed: 7 -> 8``."""
    parts = []
    for name in stored.__struct_fields__:
        before, after = getattr(stored, name), getattr(wanted, name)
        if before == after or name == "fault_graphs":  # their specs differ, too
            continue
        if name == "sampler" and before and after:
            for key in dict.fromkeys([*before, *after]):
                if key == "rates" and "pilot" in after:  # read again when needed
                    parts.append("the rates of the pilot")
                elif before.get(key) != after.get(key):
                    parts.append(f"{key}: {before.get(key)} -> {after.get(key)}")
        else:
            parts.append(f"{name}: {_text(before)} -> {_text(after)}")
    return "; ".join(parts)


def _text(value: Any) -> str:
    if isinstance(value, Mapping):
        return str(value.get("kind", "none"))
    if isinstance(value, tuple):
        return ", ".join(map(str, value)) or "none"
    return "none" if value is None else str(value)


def _refuse_with_faults(given: Collection[str]) -> None:
    for name, flag in _DECIDED_BY_LIST.items():
        if name in given:
            raise click.UsageError(f"{flag} does not go with --faults, which lists the scenarios")
