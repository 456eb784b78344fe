"""TODO: what this package is for, what comes in, what goes out."""

from onnxfi.engine.cut._candidates import Route
from onnxfi.engine.cut._chain import Chain
from onnxfi.engine.cut._clean import CleanValues
from onnxfi.engine.cut._cropped import Cropped
from onnxfi.engine.cut._deviation import (
    Deviation,
    Region,
    crop,
    deviating,
    gathered,
    insert,
    put,
    taken,
    united,
    whole,
)
from onnxfi.engine.cut._faulty import ValueFaults, with_faults
from onnxfi.engine.cut._late import ArmedLate, LateStart
from onnxfi.engine.cut._proof import same_effect
from onnxfi.engine.cut._propagate import Start, outputs_of, propagate
from onnxfi.engine.cut._routes import Routes

__all__ = [
    "ArmedLate",
    "Chain",
    "CleanValues",
    "Cropped",
    "Deviation",
    "LateStart",
    "Region",
    "Route",
    "Routes",
    "Start",
    "ValueFaults",
    "crop",
    "deviating",
    "gathered",
    "insert",
    "outputs_of",
    "propagate",
    "put",
    "same_effect",
    "taken",
    "united",
    "whole",
    "with_faults",
]
