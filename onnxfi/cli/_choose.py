"""From the choosing options to settings: which sites, what is done to them, which scenarios."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import click

from onnxfi.settings import CampaignSettings, settings_of

if TYPE_CHECKING:
    from onnxfi.cli._subject import LoadedModel
    from onnxfi.faults import FaultModel, FaultSite, FaultSpace
    from onnxfi.sampling import Sampler

DEFAULT_MARGIN = 0.03
DEFAULT_BER_SCENARIOS = 100
DEFAULT_SEARCH = 100
#: Options that say which sampler is meant: option, sampler.
IMPLIED = {"ber": "ber", "strata": "stratified", "pilot": "stratified", "scores": "importance"}
COMPUTED = ("activation", "input", "state")


def given_settings(options: Mapping[str, Any], *groups: str) -> dict[str, Any]:
    """Campaign settings that options of the same name give; an option without a value gives none.

    Args:
        options: Values of all options, by name.
        groups: Groups of settings to look at.
    """
    names = settings_of(CampaignSettings, *groups)
    return {name: options[name] for name in names if options.get(name) not in (None, ())}


def fault_specs(options: Mapping[str, Any]) -> tuple[str, ...]:
    """Texts of the fault models, the choice of bits folded in."""
    return tuple(model.spec() for model in fault_models(options))


def fault_models(options: Mapping[str, Any]) -> tuple[FaultModel, ...]:
    """The fault models of ``--fault-model`` and ``--bits``; a bit flip if none is named."""
    from onnxfi.faults import parse_fault_model

    texts = options["fault_models"] or ("flip",)
    return tuple(parse_fault_model(text, options["bits"]) for text in texts)


def fault_graphs(options: Mapping[str, Any]) -> dict[str, bytes]:
    """The graphs among the fault models, by the sha256 that their texts name."""
    from onnxfi.faults import graphs_of

    return graphs_of(fault_models(options))


def choose_sites(
    subject: LoadedModel, options: Mapping[str, Any], targets: tuple[str, ...]
) -> tuple[FaultSite, ...]:
    """The sites that the options choose.

    Args:
        subject: The model and its sites.
        options: Values of the site options.
        targets: Kinds to choose where ``--targets`` is not given.
    """
    from onnxfi.faults import SiteFilter

    chosen = {"targets": targets, **given_settings(options, "sites")}
    return SiteFilter(**chosen).select(subject.table.sites)


def check_inputs_given(targets: tuple[str, ...], inputs: str | None) -> None:
    """Refuse faults in computed tensors where nothing tells how large these are."""
    from onnxfi.errors import ConfigError

    computed = [kind for kind in targets if kind in COMPUTED]
    if computed and inputs is None:
        raise ConfigError(
            f"targets {', '.join(computed)} need --inputs: the shapes of computed tensors are only "
            "known from a run (--inputs random:4:0 is enough to see them)"
        )


def sampler_recipe(options: Mapping[str, Any]) -> dict[str, Any]:
    """The recipe of the sampler options, as ``onnxfi.sampling.from_recipe`` takes it.

    Raises:
        UsageError: Options of different samplers are mixed.
    """
    kind = options["sampler"] or implied(options) or "uniform"
    _refuse_mixtures(kind, options)
    recipe: dict[str, Any] = {"kind": kind, "seed": options["seed"]}
    if kind == "uniform":
        recipe |= _size(options)
        recipe["faults_per_scenario"] = options["faults_per_scenario"] or 1
    elif kind == "stratified":
        recipe |= {"n": _scenarios(options), "by": list(options["strata"] or ("site",))}
        if options["pilot"] is not None:
            recipe["pilot"] = options["pilot"]
    elif kind == "importance":
        recipe |= {"n": _scenarios(options), "scores": options["scores"]}
        for name in ("uniform_share", "power"):
            if options[name] is not None:
                recipe[name] = float(options[name])
    elif kind == "top":
        recipe |= {"n": options["n"] or DEFAULT_SEARCH, "scores": options["scores"]}
    elif kind == "ber":
        recipe |= {"n": _ber_scenarios(options), "ber": options["ber"]}
        recipe["per_sample"] = options["ber_per_sample"]
    return recipe


def build_sampler(options: Mapping[str, Any], space: FaultSpace, subject: LoadedModel) -> Sampler:
    """The sampler of the options; --ber-per-sample needs the subject's workload."""
    from onnxfi.campaign import piloted, sampler_of
    from onnxfi.errors import ConfigError
    from onnxfi.sampling import fitted_recipe

    samples = None if subject.workload is None else subject.workload.samples
    recipe, pilot = piloted(sampler_recipe(options))
    if pilot is not None:
        pilot.check(subject.model.sha256, space)
    if samples is not None:
        recipe = fitted_recipe(recipe, samples)
    elif recipe.get("per_sample"):
        raise ConfigError("--ber-per-sample needs --inputs, which tells how many samples")
    return sampler_of(recipe, space, subject.model.sha256, subject.graph_sha256)


def build_space(
    subject: LoadedModel, options: Mapping[str, Any], targets: tuple[str, ...]
) -> FaultSpace:
    """The fault space of the chosen sites and fault models."""
    from onnxfi.faults import FaultSpace

    return FaultSpace(choose_sites(subject, options, targets), fault_models(options))


def _refuse_mixtures(kind: str, options: Mapping[str, Any]) -> None:
    belongs = {
        "n": ("uniform", "stratified", "importance", "top", "ber"),
        "plan_margin": ("uniform", "stratified", "importance", "ber"),
        "strata": ("stratified",),
        "pilot": ("stratified",),
        "scores": ("importance", "top"),
        "uniform_share": ("importance",),
        "power": ("importance",),
        "faults_per_scenario": ("uniform",),
        "ber": ("ber",),
        "ber_per_sample": ("ber",),
    }
    for name, kinds in belongs.items():
        if options[name] and kind not in kinds:
            raise click.UsageError(f"{_flag(name)} does not go with --sampler {kind}")
    if options["n"] is not None and options["plan_margin"] is not None:
        raise click.UsageError("-n and --plan-margin both say how many scenarios; give one")
    if kind == "ber" and options["ber"] is None:
        raise click.UsageError("--sampler ber needs --ber, the probability of each bit")
    if kind in ("importance", "top") and options["scores"] is None:
        raise click.UsageError(
            f"--sampler {kind} needs --scores: a file that `onnxfi sensitivity MODEL --inputs FILE "
            "-o scores.npz` makes, or a .npz of your own with an array for each site"
        )
    if kind == "top" and (options.get("margin") or options.get("relative_margin")):
        raise click.UsageError(
            "a margin is for estimating a rate, and no rate can be had from --sampler top; stop "
            "with --find, or use --sampler importance, stratified or uniform"
        )


def _flag(name: str) -> str:
    return "-n" if name == "n" else f"--{name.replace('_', '-')}"


def _size(options: Mapping[str, Any]) -> dict[str, Any]:
    if options["n"] is not None:
        return {"n": options["n"]}
    return {
        "margin": options["plan_margin"] or DEFAULT_MARGIN,
        "confidence": options["confidence"],
    }


def _ber_scenarios(options: Mapping[str, Any]) -> int:
    if options["plan_margin"] is None and options["n"] is None:
        return DEFAULT_BER_SCENARIOS
    return _scenarios(options)


def _scenarios(options: Mapping[str, Any]) -> int:
    """As many as are asked for, or as an interval of the planned margin needs."""
    from onnxfi.sampling import sample_size

    if options["n"] is not None:
        return int(options["n"])
    return sample_size(None, options["plan_margin"] or DEFAULT_MARGIN, options["confidence"])


def implied(options: Mapping[str, Any]) -> str | None:
    """The sampler that belongs to the options given, where none is named; None if any may."""
    return next((kind for name, kind in IMPLIED.items() if options[name] is not None), None)
