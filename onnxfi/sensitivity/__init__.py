"""Gradient-free scores: how likely each fault is to fail, from a few runs on calibration data."""

from onnxfi.sensitivity._channels import output_channels
from onnxfi.sensitivity._check import check_subject
from onnxfi.sensitivity._cost import Cost
from onnxfi.sensitivity._file import is_sensitivity
from onnxfi.sensitivity._measure import OnProgress, measure
from onnxfi.sensitivity._options import SensitivityOptions
from onnxfi.sensitivity._scores import SensitivityScores
from onnxfi.sensitivity._sensitivity import Sensitivity
from onnxfi.sensitivity._summary import Expected, ExpectedRow, expect

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
