"""TODO: what this package is for, what comes in, what goes out."""

from onnxfi.faults.enumeration._computed import PORT_TYPES
from onnxfi.faults.enumeration._enumerate import SiteTable, enumerate_sites
from onnxfi.faults.enumeration._spikes import spike_values

__all__ = [
    "PORT_TYPES",
    "SiteTable",
    "enumerate_sites",
    "spike_values",
]
