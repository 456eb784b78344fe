"""TODO: what this package is for, what comes in, what goes out."""

from onnxfi.graph.proto._calls import Key, call_key, check_expansion, function_key
from onnxfi.graph.proto._elements import (
    data_bytes,
    element_from_onnx,
    element_of_dtype,
    element_to_onnx,
)
from onnxfi.graph.proto._naming import Anonymous, anonymous, name_nodes, unique_names
from onnxfi.graph.proto._rename import rename_outputs, rename_reads
from onnxfi.graph.proto._skeleton import attach, detach, skeleton
from onnxfi.graph.proto._sort import sort_graph
from onnxfi.graph.proto._spec import Kind, Shape, TensorSpec, spec_of, value_info
from onnxfi.graph.proto._tensors import (
    Data,
    Reader,
    check_words,
    count_elements,
    data_size,
    element_count,
    is_external,
    known_element,
    raw_bytes,
    set_words,
    strip_data,
    tensor_words,
)
from onnxfi.graph.proto._text import check_model, check_part, one_line
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
