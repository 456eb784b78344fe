"""Gradient-free scores: how likely each fault is to fail, from a few runs on calibration data."""

from onnxfi.sensitivity._measure import OnProgress, measure
from onnxfi.sensitivity.rules import output_channels
from onnxfi.sensitivity.scores import (
    Cost,
    Expected,
    ExpectedRow,
    Sensitivity,
    SensitivityOptions,
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
    "SensitivityOptions",
    "SensitivityScores",
    "check_subject",
    "expect",
    "is_sensitivity",
    "measure",
    "output_channels",
]
