"""Gradient-free scores: how likely each fault is to fail, from cheap runs on calibration data.

Four floors, the lowest first: ``scores`` (what is known of each site, as a value and as a file),
``rules`` (what the graph and one fault-free run tell), ``probes`` (values shifted on purpose) and
``trials`` (real faults). In: an engine's context and sites. Out: a :class:`Sensitivity`, which says
for every fault of a space how likely it is to fail; samplers take it as weights.
"""

from onnxfi.sensitivity._measure import OnProgress, measure
from onnxfi.sensitivity.rules import output_channels
from onnxfi.sensitivity.scores import (
    Cost,
    Expected,
    ExpectedRow,
    Sensitivity,
    SensitivityScores,
    check_subject,
    expect,
    is_sensitivity,
)

__all__ = [
    "Cost",
    "Expected",
    "ExpectedRow",
    "OnProgress",
    "Sensitivity",
    "SensitivityScores",
    "check_subject",
    "expect",
    "is_sensitivity",
    "measure",
    "output_channels",
]
