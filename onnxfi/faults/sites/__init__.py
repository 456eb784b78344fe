"""TODO: what this package is for, what comes in, what goes out."""

from onnxfi.faults.sites._layout import SampleLayout
from onnxfi.faults.sites._left_out import (
    LeftOut,
    LeftOutGroup,
    Reason,
    grouped,
    no_format,
    no_port,
    not_a_tensor,
)
from onnxfi.faults.sites._roles import Role, role_of, transparent
from onnxfi.faults.sites._site import FaultSite, NeuronPart, SiteKind

__all__ = [
    "FaultSite",
    "LeftOut",
    "LeftOutGroup",
    "NeuronPart",
    "Reason",
    "Role",
    "SampleLayout",
    "SiteKind",
    "grouped",
    "no_format",
    "no_port",
    "not_a_tensor",
    "role_of",
    "transparent",
]
