"""Protobuf messages, before there is a model.

Walks graphs and what is nested in them, names nodes, sorts them, reads and writes the data of
tensors and the types of values. Messages come in; facts about them go out, or they are changed in
place. Nothing here knows what a loaded model is.
"""

from onnxfi.graph.proto._calls import Key, call_key, check_expansion, function_key
from onnxfi.graph.proto._names import (
    Anonymous,
    anonymous,
    name_nodes,
    rename_outputs,
    rename_reads,
    unique_names,
)
from onnxfi.graph.proto._sort import sort_graph
from onnxfi.graph.proto._tensors import (
    Data,
    Reader,
    attach,
    check_words,
    count_elements,
    data_size,
    detach,
    element_count,
    is_external,
    known_element,
    raw_bytes,
    set_words,
    skeleton,
    strip_data,
    tensor_words,
)
from onnxfi.graph.proto._text import check_model, check_part, one_line
from onnxfi.graph.proto._types import (
    Kind,
    Shape,
    TensorSpec,
    data_bytes,
    element_from_onnx,
    element_of_dtype,
    element_to_onnx,
    spec_of,
    value_info,
)
from onnxfi.graph.proto._walk import (
    Scope,
    Unique,
    bodies,
    captures,
    free_names,
    join,
    own_names,
    scopes,
    shown,
)

__all__ = [
    "Anonymous",
    "Data",
    "Key",
    "Kind",
    "Reader",
    "Scope",
    "Shape",
    "TensorSpec",
    "Unique",
    "anonymous",
    "attach",
    "bodies",
    "call_key",
    "captures",
    "check_expansion",
    "check_model",
    "check_part",
    "check_words",
    "count_elements",
    "data_bytes",
    "data_size",
    "detach",
    "element_count",
    "element_from_onnx",
    "element_of_dtype",
    "element_to_onnx",
    "free_names",
    "function_key",
    "is_external",
    "join",
    "known_element",
    "name_nodes",
    "one_line",
    "own_names",
    "raw_bytes",
    "rename_outputs",
    "rename_reads",
    "scopes",
    "set_words",
    "shown",
    "skeleton",
    "sort_graph",
    "spec_of",
    "strip_data",
    "tensor_words",
    "unique_names",
    "value_info",
]
