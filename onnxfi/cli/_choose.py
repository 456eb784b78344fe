"""From the choosing options to settings: which sites, what is done to them, which scenarios."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from onnxfi.cli._samplers import sampler_recipe
from onnxfi.settings import CampaignSettings, settings_of

if TYPE_CHECKING:
    from onnxfi.cli._subject import LoadedModel
    from onnxfi.faults import FaultModel, FaultSite, FaultSpace
    from onnxfi.sampling import Sampler

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
