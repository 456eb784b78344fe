"""Responses of all values that faults shift: by rule, and measured where probes are wanted."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import NamedTuple

from onnxfi.engine import EngineContext
from onnxfi.sensitivity.probes import probe
from onnxfi.sensitivity.rules import ChannelStatistics, Following, Target, ruled
from onnxfi.sensitivity.scores import Cost, Response, SensitivityOptions

_LIKE_SEEN = 1.0  # samples that the mean of all channels counts for in each


class Responses(NamedTuple):
    """Responses of targets.

    Attributes:
        found: By name of the target and whether whole channels are shifted.
        probed: Those that were measured; the others follow rules.
        cost: What was run.
    """

    found: dict[tuple[str, bool], Response]
    probed: frozenset[tuple[str, bool]]
    cost: Cost


def responses_of(
    context: EngineContext,
    targets: Sequence[Target],
    bounds: Mapping[str, Following | None],
    statistics: Mapping[str, ChannelStatistics],
    options: SensitivityOptions,
    on_progress: Callable[[int, int], None] | None,
) -> Responses:
    """What shifts of values do.

    Args:
        context: Model and calibration samples; its profile knows the values.
        targets: The values.
        bounds: What follows them, by name.
        statistics: By value name.
        options: Tier 0 takes rules for all, tier 1 probes all that can be probed.
        on_progress: Told probes done and expected.

    Raises:
        GoldenError: The model fails on the samples.
        BackendError: onnxruntime refuses the model with what shifts its values.
    """
    found = {
        (target.name, target.whole): ruled(
            target, bounds.get(target.name), statistics, options.drop
        )
        for target in targets
    }
    if options.tier == 0:
        return Responses(found, frozenset(), Cost())
    measured, cost = probe(context, targets, options, on_progress=on_progress)
    samples = context.workload.samples
    shrunk = {key: towards_mean(response, samples) for key, response in measured.items()}
    return Responses(found | shrunk, frozenset(measured), cost)


def towards_mean(response: Response, samples: int) -> Response:
    """A measured response with a little of the channels' mean in each.

    A channel of which none of thirty samples was lost is not one of which none ever is, if others
    are; but what no channel loses, such as shifts that a Relu cuts off, stays at 0.

    Args:
        response: As measured.
        samples: Samples that were looked at.
    """
    mean = response.lost.mean(axis=0)
    lost = (samples * response.lost + _LIKE_SEEN * mean) / (samples + _LIKE_SEEN)
    return replace(response, lost=lost)
