"""The loaded model and its index: who makes and who reads what.

Comes in: a message in normal form. Goes out: a :class:`Model`, whose index gives nodes, stored
tensors, users and types under one name for each value, nested graphs included, and answers to
questions about it (gates, operands, what depends on a value). Nothing here reads files.
"""

from onnxfi.graph.forms import Form
from onnxfi.graph.index._alike import align, fingerprint
from onnxfi.graph.index._attributes import (
    attribute_words,
    float_bits,
    set_attribute_words,
    set_literal,
)
from onnxfi.graph.index._build import infer_types
from onnxfi.graph.index._gates import Gates
from onnxfi.graph.index._index import (
    Body,
    GraphIndex,
    Handover,
    Home,
    Initializer,
    Node,
    Place,
    Use,
)
from onnxfi.graph.index._model import (
    Edits,
    Endpoints,
    Model,
    ScanCounter,
    graphs_of,
    opset_of,
    stored_names,
)
from onnxfi.graph.index._queries import (
    Operand,
    Receptive,
    downstream,
    node_attributes,
    operands,
    receptive_field,
    unpadded,
)

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
    "Receptive",
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
    "receptive_field",
    "set_attribute_words",
    "set_literal",
    "stored_names",
    "unpadded",
]
