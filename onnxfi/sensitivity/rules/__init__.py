"""TODO: what this package is for, what comes in, what goes out."""

from onnxfi.sensitivity.rules._calibrate import Calibration, Progress, calibrate
from onnxfi.sensitivity.rules._channels import output_channels
from onnxfi.sensitivity.rules._entries import find_entry
from onnxfi.sensitivity.rules._entry import Channels, Target
from onnxfi.sensitivity.rules._following import Following, following
from onnxfi.sensitivity.rules._gains import gain_of
from onnxfi.sensitivity.rules._plan import Plan, plan
from onnxfi.sensitivity.rules._rules import ruled
from onnxfi.sensitivity.rules._statistics import ChannelStatistics
from onnxfi.sensitivity.rules._targets import hit, shifted

__all__ = [
    "Calibration",
    "ChannelStatistics",
    "Channels",
    "Following",
    "Plan",
    "Progress",
    "Target",
    "calibrate",
    "find_entry",
    "following",
    "gain_of",
    "hit",
    "output_channels",
    "plan",
    "ruled",
    "shifted",
]
