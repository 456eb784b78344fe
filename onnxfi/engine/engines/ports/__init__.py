"""TODO: what this package is for, what comes in, what goes out."""

from onnxfi.engine.engines.ports._inputs import Kept, KeptBatches
from onnxfi.engine.engines.ports._ports import OpenModel, PortsEngine

__all__ = [
    "Kept",
    "KeptBatches",
    "OpenModel",
    "PortsEngine",
]
