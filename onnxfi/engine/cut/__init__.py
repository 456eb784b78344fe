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
from onnxfi.engine.cut._cropped import Cropped, CropRows
from onnxfi.engine.cut._crops import Frame, crop, insert
from onnxfi.engine.cut._faulty import ValueFaults, with_faults
from onnxfi.engine.cut._found import Found
from onnxfi.engine.cut._late import ArmedLate, LateStart
from onnxfi.engine.cut._proof import same_effect
from onnxfi.engine.cut._propagate import propagate
from onnxfi.engine.cut._routes import Routes
from onnxfi.engine.cut._rows import Rows, differing, entries_of, samples_of, value_of
from onnxfi.engine.cut._sizes import run_sizes
from onnxfi.engine.cut._start import Common, Start

__all__ = [
    "ArmedLate",
    "CleanValues",
    "Common",
    "CropRows",
    "Cropped",
    "Found",
    "Frame",
    "LateStart",
    "PartChain",
    "Route",
    "Routes",
    "Rows",
    "Start",
    "ValueFaults",
    "crop",
    "differing",
    "entries_of",
    "insert",
    "propagate",
    "run_sizes",
    "same_effect",
    "samples_of",
    "value_of",
    "with_faults",
]
