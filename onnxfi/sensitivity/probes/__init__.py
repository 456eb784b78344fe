"""TODO: what this package is for, what comes in, what goes out."""

from onnxfi.sensitivity.probes._curve import Curve
from onnxfi.sensitivity.probes._probes import probe
from onnxfi.sensitivity.probes._shiftport import (
    ShiftedRows,
    ShiftPort,
    opset_needed,
    shift_groups,
    shift_port,
)

__all__ = [
    "Curve",
    "ShiftPort",
    "ShiftedRows",
    "opset_needed",
    "probe",
    "shift_groups",
    "shift_port",
]
