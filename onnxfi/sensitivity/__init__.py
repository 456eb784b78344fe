"""Gradient-free scores: how likely each fault is to fail, from a few runs on calibration data."""

from onnxfi.sensitivity._cost import Cost
from onnxfi.sensitivity._options import SensitivityOptions
from onnxfi.sensitivity._scores import SensitivityScores
from onnxfi.sensitivity._sensitivity import Sensitivity

__all__ = ["Cost", "Sensitivity", "SensitivityOptions", "SensitivityScores"]
