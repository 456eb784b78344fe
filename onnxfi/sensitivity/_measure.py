"""Measuring a sensitivity: calibration, responses by rule or by probes, and scores of all sites."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from types import MappingProxyType

import numpy as np

from onnxfi.bits import format_of
from onnxfi.engine import EngineContext
from onnxfi.faults import FaultSite
from onnxfi.graph import initializer_words
from onnxfi.sensitivity._axis import Axis
from onnxfi.sensitivity._calibrate import Calibration, calibrate
from onnxfi.sensitivity._computed import ComputedScores
from onnxfi.sensitivity._cost import Cost
from onnxfi.sensitivity._entry import Channels, Target
from onnxfi.sensitivity._gains import gain_of
from onnxfi.sensitivity._options import SensitivityOptions
from onnxfi.sensitivity._pack import SiteScores
from onnxfi.sensitivity._plan import Plan, plan
from onnxfi.sensitivity._response import Response
from onnxfi.sensitivity._rules import ruled
from onnxfi.sensitivity._scores import SensitivityScores
from onnxfi.sensitivity._sensitivity import Sensitivity
from onnxfi.sensitivity._stored import StoredScores

_KEPT = 16  # samples of which words of computed tensors are kept
OnProgress = Callable[[str, int, int], None]
"""Called with what is being done, how much of it is done, and how much there is."""


def measure(
    context: EngineContext,
    sites: Sequence[FaultSite],
    options: SensitivityOptions,
    on_progress: OnProgress | None = None,
) -> Sensitivity:
    """Measure how likely faults at some sites are to fail.

    Args:
        context: The model on its calibration samples.
        sites: The sites.
        options: How much is run.
        on_progress: Told how far it is.

    Raises:
        GoldenError: The model fails on the samples.
        BackendError: onnxruntime refuses the model with its values as outputs.
    """
    found = plan(context.model, sites, stream=context.workload.stream is not None)
    by_name = {site.name: site for site in sites}
    computed = [by_name[name] for name in found.computed]
    keep = _kept(computed, context.workload.samples, options.kept_bytes)
    seen = calibrate(context, found.looked_at, computed, keep, _told(on_progress, "calibration"))
    targets = [*_shifted(found, seen), *_hit(found, seen)]
    responses = {
        (target.name, target.whole): ruled(
            target, found.bounds.get(target.name), seen.statistics, options.drop
        )
        for target in targets
    }
    scores: dict[str, SiteScores] = {}
    for name, entry in found.entries.items():
        site, response = by_name[name], responses[entry.values[0].value, True]
        scores[name] = StoredScores(
            element=site.element,
            words=initializer_words(context.model, site.tensor),
            gain=gain_of(context.model, site, entry, seen, response.spread),
            response=response,
        )
    for site in computed:
        scores[site.name] = _computed(site, found.computed[site.name], seen, responses)
    return Sensitivity(
        scores=SensitivityScores.of_sites(scores, options.drop),
        options=options,
        model_sha256=context.model.sha256,
        inputs_sha256=context.workload.sha256,
        criterion=context.criterion.criterion.spec(),
        cost=Cost(),
        methods=MappingProxyType(dict.fromkeys(scores, "rule")),
    )


def _shifted(found: Plan, seen: Calibration) -> list[Target]:
    """Values that faults in stored tensors shift, each once; steps of a network together."""
    targets: dict[str, Target] = {}
    for entry in found.entries.values():
        every = [seen.statistics[each.value] for each in entry.values]
        target = Target(
            values=entry.values,
            channels=len(every[0].up),
            spread=float(np.sqrt(np.mean([each.spread**2 for each in every]))),
            whole=True,
        )
        targets.setdefault(target.name, target)
    return list(targets.values())


def _hit(found: Plan, seen: Calibration) -> list[Target]:
    """Values that are themselves faulted."""
    return [
        Target(
            values=(channels,),
            channels=len(seen.statistics[channels.value].up),
            spread=seen.statistics[channels.value].spread,
            whole=False,
        )
        for channels in found.computed.values()
    ]


def _computed(
    site: FaultSite,
    channels: Channels,
    seen: Calibration,
    responses: Mapping[tuple[str, bool], Response],
) -> ComputedScores:
    shape = () if site.layout is None else site.layout.shape
    return ComputedScores(
        element=site.element,
        words=seen.words[site.name],
        axis=Axis.of_shape(shape, channels.axis),
        response=responses[channels.value, False],
    )


def _kept(sites: Sequence[FaultSite], samples: int, most_bytes: int) -> int:
    """Samples of which words are kept: no more than the memory allows, and at least one."""
    each = sum(
        site.layout.elements * format_of(site.element).word.itemsize
        for site in sites
        if site.layout is not None
    )
    return max(1, min(samples, _KEPT, most_bytes // max(each, 1)))


def _told(on_progress: OnProgress | None, what: str) -> Callable[[int, int], None] | None:
    return None if on_progress is None else partial(on_progress, what)
