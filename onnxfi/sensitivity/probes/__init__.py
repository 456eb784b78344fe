"""Probes: runs in which channels of values are shifted on purpose.

In: the values that faults shift and how far, and an engine's context. Out: for each of them the
response, that is how much of the answers is lost at each size of shift.
"""

from onnxfi.sensitivity.probes._ports import (
    ShiftedRows,
    ShiftPort,
    opset_needed,
    shift_groups,
    shift_port,
)
from onnxfi.sensitivity.probes._probes import Curve, probe

__all__ = [
    "Curve",
    "ShiftPort",
    "ShiftedRows",
    "opset_needed",
    "probe",
    "shift_groups",
    "shift_port",
]
