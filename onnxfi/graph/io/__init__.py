"""Reading and writing models.

Comes in: a path, bytes, a message or a graphsurgeon graph, none of them trusted. Limits are
checked first; then the graph is brought into normal form. Goes out: a model, and from a model
again bytes or files, external data included.
"""

from onnxfi.graph.io._external import external_data, hold, holdable
from onnxfi.graph.io._limits import Limits
from onnxfi.graph.io._load import load, loadable
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
    "loadable",
    "normalize",
    "read_source",
    "replace_nodes",
    "save",
    "serialize",
]
