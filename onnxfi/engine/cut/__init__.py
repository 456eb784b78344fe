"""The executable graph in parts: golden values between them once, then only what a fault reaches.

In: a graph that is open for faults, and scenarios. Out: faulty outputs of a window of samples
(:class:`ArmedLate`). A fault changes a golden value on the host; a part runs if something that it
reads deviates, for the samples in which it does, and for the region of an image where it does.
:class:`Routes` says which graph a scenario runs in, by the sites that it touches and nothing else,
and why: a graph is used only if faults in it are proven to be faults in the model.
"""

from onnxfi.engine.cut._candidates import Route
from onnxfi.engine.cut._chain import PartChain
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
    samples_of,
    united,
    whole,
)
from onnxfi.engine.cut._faulty import ValueFaults, with_faults
from onnxfi.engine.cut._late import ArmedLate, LateStart
from onnxfi.engine.cut._proof import same_effect
from onnxfi.engine.cut._found import Found
from onnxfi.engine.cut._propagate import propagate
from onnxfi.engine.cut._start import Common, Start
from onnxfi.engine.cut._routes import Routes

__all__ = [
    "ArmedLate",
    "CleanValues",
    "Common",
    "Cropped",
    "Deviation",
    "Found",
    "LateStart",
    "PartChain",
    "Region",
    "Route",
    "Routes",
    "Start",
    "ValueFaults",
    "crop",
    "deviating",
    "gathered",
    "insert",
    "propagate",
    "put",
    "same_effect",
    "samples_of",
    "united",
    "whole",
    "with_faults",
]
