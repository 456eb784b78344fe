"""A graph in parts: a model comes in, and sub-models of its very nodes and tensors go out.

Also decides where a graph can be cut, and proves that a part holds nothing of its own.
"""

from onnxfi.graph.cut._cut import cut, verify_cut
from onnxfi.graph.cut._facts import draws, operators, read_tensor, unread_inputs
from onnxfi.graph.cut._partition import Cuts, Part, closed_values, held_together, partition

__all__ = [
    "Cuts",
    "Part",
    "closed_values",
    "cut",
    "draws",
    "held_together",
    "operators",
    "partition",
    "read_tensor",
    "unread_inputs",
    "verify_cut",
]
