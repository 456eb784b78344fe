"""Measuring which faults are likely to fail."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import fields
from typing import Any

from onnxfi.api._arguments import CampaignArguments, resolve
from onnxfi.api._sites import Inputs
from onnxfi.campaign import choose_graph, open_subject
from onnxfi.campaign import measure_sensitivity as measure
from onnxfi.errors import ConfigError
from onnxfi.sensitivity import Sensitivity, SensitivityOptions

_EFFORT = [field.name for field in fields(SensitivityOptions) if field.name != "drop"]
_NO_PART = ("sampler", "faults", "block_size", "monitors", "spikes", "engine")


def measure_sensitivity(
    model: Any,
    inputs: Inputs,
    *,
    on_progress: Callable[[str, int, int], None] | None = None,
    **arguments: Any,
) -> Sensitivity:
    """Measure how likely each fault at some sites is to fail, without gradients.

    The scores are for samplers, such as ``ImportanceSampler(n=1000, scores=found.scores)``. Inputs
    should be others than those that a campaign is then run on.

    Args:
        model: Path, ``bytes``, ``onnx.ModelProto`` or graphsurgeon ``Graph``; not changed.
        inputs: Samples to calibrate on; the first ones are used.
        on_progress: Told what is being done, how much of it is done, and how much there is.
        **arguments: How much is run, see :class:`SensitivityOptions`: ``tier``, ``samples``,
            ``max_channels``, …; and what is faulted and what a failure is, as ``Campaign.create``
            takes it: ``targets``, ``include``, ``exclude``, ``criterion``, ``drop``, ….

    Raises:
        ConfigError: An argument is unknown or out of range, or nothing can be measured.
        OnnxFIError: The model or the inputs are unusable.
    """
    wrong = [name for name in arguments if name in _NO_PART]
    if wrong:
        raise ConfigError(f"{wrong[0]} has no part in a sensitivity; leave it out")
    effort = {name: arguments.pop(name) for name in _EFFORT if name in arguments}
    try:
        given = CampaignArguments(model=model, inputs=inputs, **arguments)
    except TypeError as error:
        said = str(error).replace("CampaignArguments.__init__()", "measure_sensitivity")
        raise ConfigError(said) from error
    options = SensitivityOptions(drop=given.drop, **effort)
    settings, custom, _ = resolve(given)
    subject = choose_graph(open_subject(model, inputs, settings), settings)
    return measure(settings, custom, subject, options, on_progress).sensitivity
