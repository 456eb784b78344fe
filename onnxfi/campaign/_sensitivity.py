"""Measuring the sensitivity of the sites that settings choose, on calibration samples."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from onnxfi.campaign._experiment import CustomParts, fault_space
from onnxfi.campaign._goldenfile import GoldenFile
from onnxfi.campaign._layout import lay_out
from onnxfi.campaign._prepare import fault_free
from onnxfi.campaign._subject import Subject, engine_settings
from onnxfi.engine import EngineContext, default_timeout
from onnxfi.errors import ConfigError
from onnxfi.faults import FaultSite, FaultSpace, graphs_of, untied
from onnxfi.sensitivity import OnProgress, Sensitivity, measure
from onnxfi.settings import CampaignSettings, SensitivityOptions

_NAMED = 5


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Measured:
    """A sensitivity, and what it was measured for.

    Attributes:
        sensitivity: The scores and how they were come by.
        space: The chosen faults, at sites that could be measured.
        samples: Samples of the inputs, of which the first ones were calibrated on.
    """

    sensitivity: Sensitivity
    space: FaultSpace
    samples: int


def measure_sensitivity(
    settings: CampaignSettings,
    custom: CustomParts,
    subject: Subject,
    options: SensitivityOptions,
    on_progress: OnProgress | None = None,
) -> Measured:
    """Measure how likely each fault of a fault space is to fail.

    Args:
        settings: Which sites, which faults, what a failure is, how the model is run; a sampler and
            a fault list have no part in it.
        custom: The user's own objects.
        subject: Model and workload; the first samples are calibrated on.
        options: How much is run.
        on_progress: Told what is done, how much of it, and how much there is.

    Raises:
        OnnxFIError: Nothing can be measured.
    """
    samples = subject.workload.samples
    subject = replace(subject, workload=subject.workload.take(options.samples))
    laid = lay_out(settings, subject)
    space = fault_space(settings, custom, laid.sites)
    _check_scored(space)
    run, bound = fault_free(settings, custom, subject, laid.profile)
    # As for a campaign: where no sample is answered right, no accuracy can drop.
    GoldenFile.of(run, bound, subject.workload)
    workload, profile = subject.workload, laid.profile
    how = engine_settings(settings, workload.stream)
    limit = default_timeout(subject.model, profile.batch_size, workload.steps or 1)
    context = EngineContext(
        model=subject.model,
        workload=workload,
        profile=profile,
        settings=replace(how, timeout_s=how.timeout_s or limit),
        sites=tuple(untied(laid.sites)),
        criterion=bound,
    )
    found = measure(context, laid.sites, options, on_progress)
    known = [site for site in laid.sites if site.name in found.scores.sites]
    if not known:
        raise ConfigError(
            f"none of the {len(laid.sites)} chosen sites can be measured; "
            f"{'; '.join(found.notes) or 'choose others'}"
        )
    if len(known) < len(laid.sites):
        space = fault_space(settings, custom, known)
        found = replace(found, notes=(*found.notes, _left_out(laid.sites, known)))
    found = replace(found, graph_sha256=subject.graph_sha256)
    return Measured(sensitivity=found, space=space, samples=samples)


def _check_scored(space: FaultSpace) -> None:
    """Refuse faults that have no score, before anything is run for them."""
    for model in space.models:
        if not model.enumerable or graphs_of([model]):
            what = "is a graph" if model.enumerable else "is random"
            raise ConfigError(
                f"fault model {model.spec()!r} {what}, and what it does can't be told before it is "
                "run; choose flip, stuck0, stuck1, set:VALUE or burst:LENGTH"
            )


def _left_out(sites: Sequence[FaultSite], known: Sequence[FaultSite]) -> str:
    kept = {site.name for site in known}
    missing = [site.name for site in sites if site.name not in kept]
    names = ", ".join(missing[:_NAMED]) + (", …" if len(missing) > _NAMED else "")
    return (
        f"{len(missing)} of {len(sites)} chosen sites could not be measured and have no scores "
        f"({names}); leave them out with --exclude where these scores are used"
    )
