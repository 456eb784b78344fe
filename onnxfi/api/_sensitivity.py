"""Measuring which faults are likely to fail."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Unpack

from onnxfi.api._arguments import check_keywords, resolve
from onnxfi.api._keywords import SensitivityKeywords
from onnxfi.api._sites import Inputs
from onnxfi.campaign import choose_graph, open_subject
from onnxfi.campaign import measure_sensitivity as measure
from onnxfi.errors import ConfigError
from onnxfi.sensitivity import Sensitivity
from onnxfi.settings import CampaignSettings, SensitivityOptions, settings_of

_EFFORT = settings_of(SensitivityOptions, "effort", "more effort")
#: Settings of a campaign that say nothing about which faults are likely to fail.
_NO_PART = ("sampler", "faults", "block_size", "monitors", "spikes", "metrics", "engine")


def measure_sensitivity(
    model: Any,
    inputs: Inputs,
    *,
    on_progress: Callable[[str, int, int], None] | None = None,
    **settings: Unpack[SensitivityKeywords],
) -> Sensitivity:
    """Measure how likely each fault at some sites is to fail, without gradients.

    The scores are for samplers, such as ``ImportanceSampler(n=1000, scores=found.scores)``. Inputs
    should be others than those that a campaign is then run on.

    Args:
        model: Path, ``bytes``, ``onnx.ModelProto`` or graphsurgeon ``Graph``; not changed.
        inputs: Samples to calibrate on; the first ones are used.
        on_progress: Told what is being done, how much of it is done, and how much there is.
        **settings: How much is run: ``tier``, ``samples``, ``max_channels``, …; and what is
            faulted and what a failure is, as ``Campaign.create`` takes it: ``targets``,
            ``include``, ``exclude``, ``criterion``, ``drop``, …; see ``docs/settings.md``.

    Raises:
        ConfigError: An argument is unknown or out of range, or nothing can be measured.
        OnnxFIError: The model or the inputs are unusable.
    """
    wrong = [name for name in settings if name in _NO_PART]
    if wrong:
        raise ConfigError(f"{wrong[0]} has no part in a sensitivity; leave it out")
    check_keywords("measure_sensitivity", settings, CampaignSettings, SensitivityOptions)
    effort = {name: value for name, value in settings.items() if name in _EFFORT}
    study = {name: value for name, value in settings.items() if name not in _EFFORT}
    chosen, custom, _ = resolve({"model": model, "inputs": inputs, **study})  # type: ignore[typeddict-item]
    options = SensitivityOptions(drop=chosen.drop, **effort)  # type: ignore[arg-type]
    subject = choose_graph(open_subject(model, inputs, chosen), chosen)
    return measure(chosen, custom, subject, options, on_progress).sensitivity
