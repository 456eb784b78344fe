"""Graph faults as text: ``graph:FILE.onnx[:whole][:NAME=NUMBER ...]``."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence

from onnxfi.errors import ConfigError, FaultError
from onnxfi.faults.models._graph_fault import GraphFault, known_graph

_SHA256 = re.compile(r"[0-9a-f]{64}")


def parse_graph(text: str, parts: Sequence[str], graphs: Mapping[str, bytes]) -> GraphFault:
    """Read a graph fault.

    Args:
        text: The whole text, for messages.
        parts: What follows ``graph``, cut at colons.
        graphs: Models by the sha256 that may stand in place of a file.

    Raises:
        ConfigError: No file is named, it can't be a fault, or an option is wrong.
    """
    left = list(parts)
    whole = False
    parameters: dict[str, float] = {}
    while len(left) > 1 and (left[-1] == "whole" or "=" in left[-1]):
        option = left.pop()
        if option == "whole":
            whole = True
            continue
        name, _, value = option.partition("=")
        try:
            parameters[name] = float(value)
        except ValueError:
            raise ConfigError(
                f"fault model {text!r}: parameter {name!r} is {value!r}, expected a number; arrays "
                "can be given from Python, or be stored in the file"
            ) from None
    path = ":".join(left)  # a drive has a colon of its own
    if not path:
        raise ConfigError(f"fault model {text!r} names no file, such as graph:drift.onnx")
    if _SHA256.fullmatch(path):
        try:
            return GraphFault(known_graph(path, graphs).data, parameters, whole)
        except FaultError as error:
            raise ConfigError(f"fault model {text!r}: {error}") from error
    return GraphFault(path, parameters, whole)
