"""Edits: a model comes in, another goes out, and the one that came in stays as it is.

Node groups on values, stored tensors replaced or turned into inputs, a raised opset, more outputs,
other names, users' snippets. Each edit is recorded, and :func:`verify_untouched` proves that
nothing else has changed.
"""

from onnxfi.graph.edit._batch import free_batch
from onnxfi.graph.edit._constructed import byte_flipper, byte_products
from onnxfi.graph.edit._counters import Iteration, iteration_of
from onnxfi.graph.edit._expose import asking, expose, untyped
from onnxfi.graph.edit._in_file import InFile, as_in_file
from onnxfi.graph.edit._insert import NodeGroup, NodeSpec, endpoints, insert, unique_prefix
from onnxfi.graph.edit._opset import misfit, raise_opset
from onnxfi.graph.edit._order import in_canonical_order, rejoin, separate
from onnxfi.graph.edit._rename import declare, rename
from onnxfi.graph.edit._snippet import (
    Snippet,
    check_rows,
    load_snippet,
    raised_snippet,
    run_snippet,
    snippet_nodes,
)
from onnxfi.graph.edit._stored import (
    densify,
    initializer_words,
    lift_initializers,
    replace_initializers,
)
from onnxfi.graph.edit._taps import TAPPED, Tap, recorded, tap
from onnxfi.graph.edit._verify import verify_untouched

__all__ = [
    "TAPPED",
    "InFile",
    "Iteration",
    "NodeGroup",
    "NodeSpec",
    "Snippet",
    "Tap",
    "as_in_file",
    "asking",
    "byte_flipper",
    "byte_products",
    "check_rows",
    "declare",
    "densify",
    "endpoints",
    "expose",
    "free_batch",
    "in_canonical_order",
    "initializer_words",
    "insert",
    "iteration_of",
    "lift_initializers",
    "load_snippet",
    "misfit",
    "raise_opset",
    "raised_snippet",
    "recorded",
    "rejoin",
    "rename",
    "replace_initializers",
    "run_snippet",
    "separate",
    "snippet_nodes",
    "tap",
    "unique_prefix",
    "untyped",
    "verify_untouched",
]
