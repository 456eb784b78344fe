"""ONNX graphs: load, normalise, index, edit, verify and write models."""

from onnxfi.graph._align import align
from onnxfi.graph._asinfile import InFile, as_in_file
from onnxfi.graph._barrier import rejoin, separate
from onnxfi.graph._convolution import Receptive, receptive_field, unpadded
from onnxfi.graph._counters import Iteration, iteration_of
from onnxfi.graph._cut import cut
from onnxfi.graph._dense import densify
from onnxfi.graph._downstream import downstream
from onnxfi.graph._edits import Endpoints, ScanCounter
from onnxfi.graph._elements import element_of_dtype, element_to_onnx
from onnxfi.graph._expose import expose
from onnxfi.graph._facts import draws, operators, read_tensor, unread_inputs
from onnxfi.graph._fingerprint import fingerprint
from onnxfi.graph._flipper import byte_flipper
from onnxfi.graph._gates import Gates
from onnxfi.graph._index import Body, Form, GraphIndex, Handover, Home, Initializer, Node, Use
from onnxfi.graph._insert import NodeGroup, NodeSpec, endpoints, insert, unique_prefix
from onnxfi.graph._limits import Limits
from onnxfi.graph._load import load
from onnxfi.graph._loadable import loadable
from onnxfi.graph._model import Model
from onnxfi.graph._operands import Operand, node_attributes, operands
from onnxfi.graph._opset import raise_opset
from onnxfi.graph._order import in_canonical_order
from onnxfi.graph._partition import Cuts, Part, closed_values, held_together, partition
from onnxfi.graph._products import byte_products
from onnxfi.graph._renamed import declare, rename
from onnxfi.graph._snippet import Snippet, load_snippet, raised_snippet, snippet_nodes
from onnxfi.graph._snippetrun import check_rows, run_snippet
from onnxfi.graph._spec import Kind, Shape, TensorSpec
from onnxfi.graph._stored import initializer_words, lift_initializers, replace_initializers
from onnxfi.graph._taps import TAPPED, Tap, recorded, tap
from onnxfi.graph._untyped import asking, untyped
from onnxfi.graph._verify import verify_untouched
from onnxfi.graph._verifycut import verify_cut
from onnxfi.graph._write import Serialized, data_file, embedded, inlined, save, serialize

__all__ = [
    "TAPPED",
    "Body",
    "Cuts",
    "Endpoints",
    "Form",
    "Gates",
    "GraphIndex",
    "Handover",
    "Home",
    "InFile",
    "Initializer",
    "Iteration",
    "Kind",
    "Limits",
    "Model",
    "Node",
    "NodeGroup",
    "NodeSpec",
    "Operand",
    "Part",
    "Receptive",
    "ScanCounter",
    "Serialized",
    "Shape",
    "Snippet",
    "Tap",
    "TensorSpec",
    "Use",
    "align",
    "as_in_file",
    "asking",
    "byte_flipper",
    "byte_products",
    "check_rows",
    "closed_values",
    "cut",
    "data_file",
    "declare",
    "densify",
    "downstream",
    "draws",
    "element_of_dtype",
    "element_to_onnx",
    "embedded",
    "endpoints",
    "expose",
    "fingerprint",
    "held_together",
    "in_canonical_order",
    "initializer_words",
    "inlined",
    "insert",
    "iteration_of",
    "lift_initializers",
    "load",
    "load_snippet",
    "loadable",
    "node_attributes",
    "operands",
    "operators",
    "partition",
    "raise_opset",
    "raised_snippet",
    "read_tensor",
    "receptive_field",
    "recorded",
    "rejoin",
    "rename",
    "replace_initializers",
    "run_snippet",
    "save",
    "separate",
    "serialize",
    "snippet_nodes",
    "tap",
    "unique_prefix",
    "unpadded",
    "unread_inputs",
    "untyped",
    "verify_cut",
    "verify_untouched",
]
