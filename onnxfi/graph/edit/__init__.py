"""TODO: what this package is for, what comes in, what goes out."""

from onnxfi.graph.edit._asinfile import InFile, as_in_file
from onnxfi.graph.edit._barrier import rejoin, separate
from onnxfi.graph.edit._convolution import Receptive, receptive_field, unpadded
from onnxfi.graph.edit._counters import Iteration, iteration_of
from onnxfi.graph.edit._dense import densify
from onnxfi.graph.edit._expose import expose
from onnxfi.graph.edit._flipper import byte_flipper
from onnxfi.graph.edit._insert import NodeGroup, NodeSpec, endpoints, insert, unique_prefix
from onnxfi.graph.edit._loadable import loadable
from onnxfi.graph.edit._opset import raise_opset
from onnxfi.graph.edit._order import in_canonical_order
from onnxfi.graph.edit._products import byte_products
from onnxfi.graph.edit._renamed import declare, rename
from onnxfi.graph.edit._snippet import Snippet, load_snippet, raised_snippet, snippet_nodes
from onnxfi.graph.edit._snippetrun import check_rows, run_snippet
from onnxfi.graph.edit._stored import initializer_words, lift_initializers, replace_initializers
from onnxfi.graph.edit._taps import TAPPED, Tap, recorded, tap
from onnxfi.graph.edit._untyped import asking, untyped
from onnxfi.graph.edit._verify import verify_untouched

__all__ = [
    "TAPPED",
    "InFile",
    "Iteration",
    "NodeGroup",
    "NodeSpec",
    "Receptive",
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
    "in_canonical_order",
    "initializer_words",
    "insert",
    "iteration_of",
    "lift_initializers",
    "load_snippet",
    "loadable",
    "raise_opset",
    "raised_snippet",
    "receptive_field",
    "recorded",
    "rejoin",
    "rename",
    "replace_initializers",
    "run_snippet",
    "separate",
    "snippet_nodes",
    "tap",
    "unique_prefix",
    "unpadded",
    "untyped",
    "verify_untouched",
]
