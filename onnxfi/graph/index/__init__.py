"""TODO: what this package is for, what comes in, what goes out."""

from onnxfi.graph.index._align import align
from onnxfi.graph.index._attributes import (
    attribute_words,
    float_bits,
    set_attribute_words,
    set_literal,
)
from onnxfi.graph.index._downstream import downstream
from onnxfi.graph.index._edits import Edits, Endpoints, ScanCounter
from onnxfi.graph.index._fingerprint import fingerprint
from onnxfi.graph.index._gates import Gates
from onnxfi.graph.index._index import (
    Body,
    Form,
    GraphIndex,
    Handover,
    Home,
    Initializer,
    Node,
    Place,
    Use,
)
from onnxfi.graph.index._infer import infer_types
from onnxfi.graph.index._model import Model, graphs_of, opset_of, stored_names
from onnxfi.graph.index._operands import Operand, node_attributes, operands

__all__ = [
    "Body",
    "Edits",
    "Endpoints",
    "Form",
    "Gates",
    "GraphIndex",
    "Handover",
    "Home",
    "Initializer",
    "Model",
    "Node",
    "Operand",
    "Place",
    "ScanCounter",
    "Use",
    "align",
    "attribute_words",
    "downstream",
    "fingerprint",
    "float_bits",
    "graphs_of",
    "infer_types",
    "node_attributes",
    "operands",
    "opset_of",
    "set_attribute_words",
    "set_literal",
    "stored_names",
]
