"""TODO: what this package is for, what comes in, what goes out."""

from onnxfi.graph.cut._cut import cut
from onnxfi.graph.cut._facts import draws, operators, read_tensor, unread_inputs
from onnxfi.graph.cut._partition import Cuts, Part, closed_values, held_together, partition
from onnxfi.graph.cut._verifycut import verify_cut

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
