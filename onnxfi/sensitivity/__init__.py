"""Gradient-free scores: how likely each fault is to fail, from a few runs on calibration data."""

from onnxfi.sensitivity._scores import SensitivityScores

__all__ = ["SensitivityScores"]
