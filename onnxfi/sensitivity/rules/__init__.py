"""Rules: what the graph and one fault-free run tell of faults, without running any.

In: a model, its sites and an engine's context. Out: where a stored tensor enters the flow of values
and how far its faults shift them, statistics of values by channel, and the responses that follow
from the operator behind a value.
"""

from onnxfi.sensitivity.rules._calibrate import Calibration, ChannelStatistics, Progress, calibrate
from onnxfi.sensitivity.rules._entries import Target, ValueChannels, find_entry
from onnxfi.sensitivity.rules._following import Following, following
from onnxfi.sensitivity.rules._gains import gain_of, hit, shifted
from onnxfi.sensitivity.rules._plan import ScoringPlan, output_channels, plan
from onnxfi.sensitivity.rules._rules import ruled

__all__ = [
    "Calibration",
    "ChannelStatistics",
    "Following",
    "Progress",
    "ScoringPlan",
    "Target",
    "ValueChannels",
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
