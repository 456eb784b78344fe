"""Static costs: what starting a session and running a sample take, from sizes alone.

Never from the clock of the run: the same plan must come out on every machine.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

from onnxfi.graph import Model, Node
from onnxfi.graph.ops import operator

# Minima of CPU time over five sessions, one thread of an AMD EPYC core with AVX-512, onnxruntime
# 1.31.1 at level "all", editing the model included: 0.8 ms (LeNet-5, 12 nodes), 1.1 ms (ResNet-8),
# 2.3 ms (ResNet-8 int8 QDQ, 67 nodes), 8 and 12 ms (SNNs, 250 nodes), 6 to 160 ms (chains of MatMul
# or Conv layers of 10 to 100 MB). These constants give all of them within a factor of two.
_SESSION_S = 4e-4
_SESSION_NODE_S = 25e-6
_SESSION_BYTE_S = 1.5e-9

# One thousand images in batches of 64 took, per multiply-accumulate, 8.5e-12 s (ResNet-8 fp32),
# 5.1e-12 s (the same, int8 QDQ), 1.8e-11 s (SNNs) and 2.6e-11 s (LeNet-5, whose pooling and ReLU
# weigh more than its convolutions).
_MAC_S = 1e-11


def session_seconds(model: Model) -> float:
    """Seconds to edit a model and start a session on it."""
    nbytes = sum(entry.nbytes for entry in model.index.initializers.values())
    nodes = len(model.index.nodes)
    return _SESSION_S + nodes * _SESSION_NODE_S + nbytes * _SESSION_BYTE_S


def run_seconds(model: Model, samples: int) -> float:
    """Seconds to run a number of samples."""
    return samples * multiply_accumulates(model) * _MAC_S


def multiply_accumulates(model: Model) -> int:
    """Multiply-accumulates for one sample, of convolutions and matrix products.

    Dimensions that the file leaves open count as 1, so it is a lower bound.
    """
    return sum(node_multiply_accumulates(model, node) for node in model.index.nodes)


def node_multiply_accumulates(model: Model, node: Node) -> int:
    """The share of one node; 0 for anything but a convolution or a matrix product."""
    known = operator(node.op_type)
    slot = known.weights
    if slot is None or slot >= len(node.inputs):
        return 0
    weight = _product(model.index.shape_of(node.inputs[slot]))
    convolution = "convolution" in known.traits
    # Each weight of a convolution meets each place of the output, each weight of a matrix product
    # each row of it.
    shape = model.index.shape_of(node.outputs[0]) or ()
    # onnxruntime's own integer convolution has its channels last.
    inside = shape[2:] if convolution and node.domain != "com.microsoft" else shape[1:-1]
    return weight * _product(inside)


def _product(shape: Sequence[int | str | None] | None) -> int:
    return math.prod(dim for dim in shape or () if isinstance(dim, int) and dim > 0)
