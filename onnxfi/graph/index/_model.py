"""The loaded model: message, index and the record of edits, against which a verifier compares."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path

from onnx import GraphProto, ModelProto

from onnxfi.bits import Words
from onnxfi.errors import UnsupportedModelError
from onnxfi.graph.index._build import Types, build_index
from onnxfi.graph.index._index import GraphIndex
from onnxfi.graph.proto import Anonymous, TensorSpec, own_names, scopes, spec_of


@dataclass(frozen=True, slots=True, kw_only=True)
class Endpoints:
    """The two names of a value between which a node group goes.

    Attributes:
        clean: The value before the group.
        faulty: The value after it, which all consumers read.
        scope: The graph that both are in, ``""`` at the top level, else ``node/branch``.
    """

    clean: str
    faulty: str
    scope: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class ScanCounter:
    """The state that was given to a Scan, in front of its own, to count iterations.

    Attributes:
        scope: The Scan's body.
        start: What it starts from: a stored 0.
        step: The body's input: the iteration, from 0.
        following: The body's output: one more.
        result: The Scan's output, which nothing reads.
    """

    scope: str
    start: str
    step: str
    following: str
    result: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Edits:
    """All edits since the model was loaded.

    Attributes:
        replaced: Initializers with new data.
        lifted: Initializers that became graph inputs of the same (qualified) name.
        exposed: Values that became graph outputs, in order.
        endpoints: Where node groups were put.
        counters: Counters that Scans got.
        nodes: Names of nodes that groups added, those in nested graphs behind their scope.
        constants: Names of initializers that groups added.
        inputs: Names of graph inputs that groups added, in order.
        domains: Operator domains that groups added.
    """

    replaced: frozenset[str] = frozenset()
    lifted: tuple[str, ...] = ()
    exposed: tuple[str, ...] = ()
    endpoints: tuple[Endpoints, ...] = ()
    counters: tuple[ScanCounter, ...] = ()
    nodes: frozenset[str] = frozenset()
    constants: frozenset[str] = frozenset()
    inputs: tuple[str, ...] = ()
    domains: frozenset[str] = frozenset()


# Not slotted: cached_property keeps the index, which most edits in a chain never ask for.
@dataclass(frozen=True, kw_only=True, eq=False, repr=False)
class Model:
    """A loaded model. Opaque to other rooms: the functions of this room read and edit it.

    Every edit copies the protobuf message once (upb copies 10 MB in 0.2 ms, 100 MB in some tens
    of ms), which is simpler than sharing tensors between models and as fast as needed.

    Attributes:
        source: Where it came from: a path, or ``<bytes>``, ``<ModelProto>``, ``<graphsurgeon>``.
        sha256: Of the model file as given, external data included; hex. Edits keep it.
        proto: The message, for the floors of this room; shared, so never to be changed: they edit
            a copy (:meth:`editable`).
        folder: Where external data is looked for; None of a model in memory.
        data_files: Locations of external data in the file as it was loaded.
        types: Types of values, by scope and name, as far as they are known.
        edits: What was done since the model was loaded.
        anonymous: Nodes that the file does not tell apart by name.
        held: New words of external tensors, by the location that stands for them in the message.
    """

    source: str
    sha256: str
    proto: ModelProto = field(repr=False)
    folder: Path | None = field(repr=False)
    data_files: tuple[str, ...] = field(repr=False)
    types: Types = field(repr=False)
    edits: Edits = field(default_factory=Edits, repr=False)
    anonymous: Anonymous = field(default_factory=Anonymous, repr=False)
    held: Mapping[str, Words] = field(default_factory=dict, repr=False)

    def __repr__(self) -> str:
        return f"Model({self.source!r}, {len(self.proto.graph.node)} nodes, opset {self.opset})"

    @cached_property
    def opset(self) -> int:
        """Version of the ai.onnx operator set (1 if the file imports none)."""
        return opset_of(self.proto)

    @property
    def ir_version(self) -> int:
        """IR version of the file."""
        return int(self.proto.ir_version)

    @cached_property
    def inputs(self) -> tuple[TensorSpec, ...]:
        """Inputs that must be fed, in file order; initializers repeated as inputs are not."""
        stored = stored_names(self.proto.graph)
        return tuple(spec_of(v) for v in self.proto.graph.input if v.name not in stored)

    @cached_property
    def outputs(self) -> tuple[TensorSpec, ...]:
        """Outputs in file order, with the inferred type where the file declares none."""
        return tuple(self._output(value.name, spec_of(value)) for value in self.proto.graph.output)

    @cached_property
    def index(self) -> GraphIndex:
        """Facts about nodes, values and initializers."""
        return build_index(self.proto.graph, self.types)

    @cached_property
    def names(self) -> frozenset[str]:
        """All names of values and nodes in all graphs."""
        names: set[str] = set()
        for scope in scopes(self.proto.graph):
            names.update(own_names(scope.graph))
            names.update(node.name for node in scope.graph.node)
            names.update(value.name for value in scope.graph.value_info)
        return frozenset(names)

    @cached_property
    def free_prefix(self) -> str:
        """A prefix that no name in the model starts with."""
        number, prefix = 1, "onnxfi/"
        while any(name.startswith(prefix) for name in self.names):
            number += 1
            prefix = f"onnxfi{number}/"
        return prefix

    def _output(self, name: str, declared: TensorSpec) -> TensorSpec:
        if declared.element is not None or declared.kind != "tensor":
            return declared
        return self.types.get(("", name), declared)

    def edited(self, proto: ModelProto, edits: Edits, types: Types | None = None) -> Model:
        """The model after an edit; without ``types``, one that leaves all facts as they are."""
        if types is not None:
            return replace(self, proto=proto, edits=edits, types=types)
        edited = replace(self, proto=proto, edits=edits)
        # The index still holds; cached_property looks for it here.
        edited.__dict__["index"] = self.index
        return edited

    def editable(self) -> ModelProto:
        """A copy of the message, free to be changed."""
        proto = ModelProto()
        proto.CopyFrom(self.proto)
        return proto


def stored_names(graph: GraphProto) -> set[str]:
    """Names of a graph's initializers, sparse ones included."""
    dense = {tensor.name for tensor in graph.initializer}
    return dense | {sparse.values.name for sparse in graph.sparse_initializer}


def opset_of(proto: ModelProto) -> int:
    """Version of ai.onnx that a model imports; 1 if none.

    Raises:
        UnsupportedModelError: Several versions are imported.
    """
    versions = {entry.version for entry in proto.opset_import if entry.domain in ("", "ai.onnx")}
    if len(versions) > 1:
        raise UnsupportedModelError(
            f"the model imports several ai.onnx versions: {sorted(versions)}"
        )
    return int(versions.pop()) if versions else 1


def graphs_of(proto: ModelProto, paths: Iterable[str]) -> dict[str, GraphProto]:
    """The graphs of some scopes by path; nested graphs are walked only if one is asked for."""
    if not any(paths):
        return {"": proto.graph}
    return {scope.path: scope.graph for scope in scopes(proto.graph)}
