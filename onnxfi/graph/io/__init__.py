"""TODO: what this package is for, what comes in, what goes out."""

from onnxfi.graph.io._held import external_data, hold, holdable
from onnxfi.graph.io._limits import Limits
from onnxfi.graph.io._load import load
from onnxfi.graph.io._normalize import normalize, replace_nodes
from onnxfi.graph.io._source import read_source
from onnxfi.graph.io._write import Serialized, data_file, embedded, inlined, save, serialize

__all__ = [
    "Limits",
    "Serialized",
    "data_file",
    "embedded",
    "external_data",
    "hold",
    "holdable",
    "inlined",
    "load",
    "normalize",
    "read_source",
    "replace_nodes",
    "save",
    "serialize",
]
