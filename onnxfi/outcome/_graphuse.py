"""Which graph an injection ran in, and why that one."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

#: ``executable``: what onnxruntime makes of the model, with some values kept. ``apart``: the same,
#: optimised in pieces. ``stored``: the file's graph, cut or instrumented, which onnxruntime
#: optimises. ``baked``: a model that holds the faults.
GraphKind = Literal["executable", "apart", "stored", "baked"]


@dataclass(frozen=True, slots=True, kw_only=True)
class GraphUse:
    """The graph that an injection ran in.

    Attributes:
        graph: What kind of graph it is.
        reason: Why that one, in words.
        compared: Samples of the first batch, on which its fault-free answers were compared with
            those of the file's own session.
        differing: Those that it answers otherwise.
    """

    graph: GraphKind
    reason: str
    compared: int = 0
    differing: int = 0
