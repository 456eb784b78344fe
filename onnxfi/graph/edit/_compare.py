"""Comparing two graphs, node by node and tensor by tensor, modulo declared renamings."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from google.protobuf.message import Message  # type: ignore[import-untyped]
from onnx import GraphProto, NodeProto, SparseTensorProto, TensorProto, ValueInfoProto

from onnxfi.errors import RewriteError
from onnxfi.graph.index import Edits, Place, ScanCounter
from onnxfi.graph.proto import Unique, bodies, join, own_names, shown


@dataclass(frozen=True, slots=True, kw_only=True)
class Pair:
    """A graph before and after the edits.

    Attributes:
        path: Its scope.
        before: The original.
        after: The edited one.
        reads: What nodes read now, by what they read before, where that differs.
        writes: What nodes write now, likewise.
    """

    path: str
    before: GraphProto
    after: GraphProto
    reads: Mapping[str, str]
    writes: Mapping[str, str]

    @property
    def where(self) -> str:
        """For messages."""
        return f"control-flow body {self.path!r}" if self.path else "the graph"


class Comparison:
    """Compares a graph and all nested ones; raises RewriteError at the first difference.

    Args:
        edits: The declared edits.
        qualified: Names of initializers in the index, by scope and name there.
        parts: Where indices and attributes lie that were replaced.
    """

    def __init__(
        self, edits: Edits, qualified: Mapping[tuple[str, str], str], parts: Sequence[Place]
    ) -> None:
        self._edits = edits
        self._qualified = qualified
        self._parts = frozenset((part.scope, part.local, part.attribute) for part in parts)
        self._paths = Unique([""])

    def run(
        self, path: str, before: GraphProto, after: GraphProto, outer: Mapping[str, str]
    ) -> None:
        """Compare two graphs.

        Args:
            path: Their scope.
            before: The original.
            after: The edited one.
            outer: What nodes read now of the graphs around, by what they read before.
        """
        pair = self._pair(path, before, after, outer)
        self._graphs(pair)

    def _pair(
        self, path: str, before: GraphProto, after: GraphProto, outer: Mapping[str, str]
    ) -> Pair:
        readers, makers = _renamings(self._edits, path)
        own = list(own_names(before))
        reads = {name: now for name, now in outer.items() if name not in set(own)}
        reads |= {name: _follow(name, readers) for name in own}
        writes = {name: _follow(name, makers) for name in own}
        return Pair(path=path, before=before, after=after, reads=reads, writes=writes)

    def _graphs(self, pair: Pair) -> None:
        counter = self._counter(pair.path)
        _compare_interface(pair, self._lifted(pair), self._edits, counter)
        _compare_declarations(pair)
        self._tensors(pair)
        after = {node.name: node for node in pair.after.node}
        if len(after) < len(pair.after.node):
            raise RewriteError(f"a node name in {pair.where} is not unique any more")
        for node in pair.before.node:
            found = after.pop(node.name, None)
            if found is None:
                raise RewriteError(f"node {node.name!r} is missing in {pair.where}")
            scope = join(pair.path, node.name)
            paths = [self._paths.take(join(scope, branch)) for branch, _ in bodies(node)]
            counter = next(filter(None, map(self._counter, paths)), None)
            _compare_node(pair, node, found, self._attributes(pair, node.name), counter)
            self._bodies(pair, node, found, paths)
        for name, node in after.items():
            if join(pair.path, name) not in self._edits.nodes:
                raise RewriteError(f"undeclared node {shown(node)} was added to {pair.where}")

    def _counter(self, path: str) -> ScanCounter | None:
        """The counter that the Scan with this body got."""
        return next((each for each in self._edits.counters if each.scope == path), None)

    def _bodies(
        self, pair: Pair, before: NodeProto, after: NodeProto, paths: Sequence[str]
    ) -> None:
        ours, theirs = list(bodies(before)), list(bodies(after))
        if [branch for branch, _ in ours] != [branch for branch, _ in theirs]:
            raise RewriteError(f"bodies of node {before.name!r} changed in {pair.where}")
        for path, (_, old), (_, new) in zip(paths, ours, theirs, strict=True):
            lifted = self._lifted_in(path, old)
            local = self._pair(path, old, new, pair.reads)
            self._graphs(replace(local, reads={**local.reads, **lifted}))

    def _lifted(self, pair: Pair) -> dict[str, str]:
        """Initializers of this graph that became inputs: their names here and as inputs."""
        return self._lifted_in(pair.path, pair.before)

    def _lifted_in(self, path: str, before: GraphProto) -> dict[str, str]:
        names = {}
        for tensor in before.initializer:
            name = self._qualified.get((path, tensor.name), tensor.name)
            if name in self._edits.lifted:
                names[tensor.name] = name
        return names

    def _tensors(self, pair: Pair) -> None:
        lifted = self._lifted(pair)
        before = {t.name: t for t in pair.before.initializer if t.name not in lifted}
        after = {tensor.name: tensor for tensor in pair.after.initializer}
        sparse = {s.values.name: s for s in pair.before.sparse_initializer}
        sparse_after = {s.values.name: s for s in pair.after.sparse_initializer}
        declared = () if pair.path else self._edits.constants
        _same_names(before.keys() | sparse, after.keys() | sparse_after, declared, pair)
        for name, tensor in before.items():
            replaced = self._replaced(pair, name)
            _compare_tensor(tensor, after.get(name), replaced, pair)
        for name, old in sparse.items():
            replaced = self._replaced(pair, name)
            moved = (pair.path, name, "") in self._parts
            _compare_sparse(old, sparse_after.get(name), (replaced, moved), pair)

    def _attributes(self, pair: Pair, node: str) -> frozenset[str]:
        """Attributes of a node that have other data."""
        return frozenset(
            part for path, name, part in self._parts if (path, name) == (pair.path, node)
        )

    def _replaced(self, pair: Pair, name: str) -> bool:
        return self._qualified.get((pair.path, name), name) in self._edits.replaced


def _same_names(
    before: set[str], after: set[str], declared: frozenset[str] | tuple[str, ...], pair: Pair
) -> None:
    if before - after:
        raise RewriteError(f"initializer {min(before - after)!r} is missing in {pair.where}")
    added = after - before - set(declared)
    if added:
        raise RewriteError(f"undeclared initializer {min(added)!r} was added to {pair.where}")


def _renamings(edits: Edits, scope: str) -> tuple[dict[str, str], dict[str, str]]:
    """One step each: to what a reader was rewired, and to what a maker was.

    Of several groups put on one value in turn, only the first met the original nodes.
    """
    readers: dict[str, str] = {}
    makers: dict[str, str] = {}
    for ends in edits.endpoints:
        if ends.scope == scope:
            readers.setdefault(ends.clean, ends.faulty)
            makers.setdefault(ends.faulty, ends.clean)
    return readers, makers


def _follow(name: str, steps: Mapping[str, str]) -> str:
    while name in steps:
        name = steps[name]
    return name


def _compare_node(
    pair: Pair,
    before: NodeProto,
    after: NodeProto,
    replaced: frozenset[str],
    counter: ScanCounter | None,
) -> None:
    start, result = ([], []) if counter is None else ([counter.start], [counter.result])
    reads = [pair.reads.get(name, name) for name in before.input]
    writes = [pair.writes.get(name, name) for name in before.output]
    facts = [
        ("operator", before.op_type, after.op_type),
        ("domain", before.domain, after.domain),
        ("overload", before.overload, after.overload),
        ("inputs", start + reads, list(after.input)),
        ("outputs", result + writes, list(after.output)),
        ("attributes", _attributes(before, replaced), _attributes(after, replaced)),
    ]
    for what, ours, theirs in facts:
        if ours != theirs:
            shown = "" if what == "attributes" else f": expected {ours}, got {theirs}"
            raise RewriteError(f"{what} of node {before.name!r} in {pair.where} changed{shown}")


def _attributes(node: NodeProto, replaced: frozenset[str]) -> list[bytes]:
    """Attributes in comparable form; nested graphs are compared on their own."""
    plain = []
    for attribute in node.attribute:
        if attribute.HasField("g") or attribute.graphs:
            plain.append(f"{attribute.name}:{attribute.type}".encode())
        elif attribute.name in replaced:
            size = len(attribute.floats), len(attribute.ints), list(attribute.t.dims)
            shape = f"{attribute.name}:{attribute.type}:{attribute.t.data_type}:{size}"
            plain.append(shape.encode())
        else:
            plain.append(attribute.SerializeToString(deterministic=True))
    return plain


def _compare_tensor(
    before: TensorProto, after: TensorProto | None, replaced: bool, pair: Pair
) -> None:
    if after is None:
        raise RewriteError(f"initializer {before.name!r} in {pair.where} became sparse")
    if replaced:
        same = before.data_type == after.data_type and before.dims == after.dims
        what = "type or shape"
    else:
        same = _wire(before) == _wire(after)
        what = "data"
    if not same:
        raise RewriteError(f"{what} of initializer {before.name!r} in {pair.where} changed")


def _compare_sparse(
    before: SparseTensorProto,
    after: SparseTensorProto | None,
    replaced: tuple[bool, bool],
    pair: Pair,
) -> None:
    """Compare sparse tensors; ``replaced`` says whether values and indices were."""
    name = before.values.name
    if after is None:
        raise RewriteError(f"initializer {name!r} in {pair.where} is not sparse any more")
    values, indices = replaced
    same = (
        before.indices.dims == after.indices.dims
        if indices
        else (_wire(before.indices) == _wire(after.indices))
    )
    if before.dims != after.dims or not same:
        raise RewriteError(f"indices of sparse initializer {name!r} in {pair.where} changed")
    _compare_tensor(before.values, after.values, values, pair)


def _compare_interface(
    pair: Pair, lifted: Mapping[str, str], edits: Edits, counter: ScanCounter | None
) -> None:
    """Inputs and outputs: the old ones in their order, then those that were declared.

    A counter stands in front of both.
    """
    after_inputs, after_outputs = list(pair.after.input), list(pair.after.output)
    if counter is not None:
        fronts = [value.name for value in (*after_inputs[:1], *after_outputs[:1])]
        if fronts != [counter.step, counter.following]:
            raise RewriteError(f"the counter of {pair.where} is not in front: {fronts}")
        del after_inputs[:1], after_outputs[:1]
    top = not pair.path
    kept = [value for value in pair.before.input if top or value.name not in lifted]
    old = {value.name for value in pair.before.input}
    new = [*edits.lifted, *edits.inputs] if top else []
    _compare_values(kept, after_inputs, {name for name in new if name not in old}, pair)
    exposed = set(edits.exposed) if top else set()
    _compare_values(list(pair.before.output), after_outputs, exposed, pair)


def _compare_values(
    before: list[ValueInfoProto], values: list[ValueInfoProto], declared: set[str], pair: Pair
) -> None:
    for position, value in enumerate(before):
        if position >= len(values) or _wire(values[position]) != _wire(value):
            raise RewriteError(f"input or output {value.name!r} of {pair.where} changed")
    added = [value.name for value in values[len(before) :]]
    if len(added) != len(declared) or set(added) != declared:
        raise RewriteError(
            f"inputs or outputs added to {pair.where} are {sorted(added)}, declared were"
            f" {sorted(declared)}"
        )


def _compare_declarations(pair: Pair) -> None:
    """What is declared about original values stays; more may be declared about new ones."""
    before = {value.name: _wire(value) for value in pair.before.value_info}
    after = {value.name: _wire(value) for value in pair.after.value_info}
    own = set(own_names(pair.before))
    for name in before.keys() | after.keys():
        if before.get(name) != after.get(name) and (name in before or name in own):
            raise RewriteError(f"the declared type of {name!r} in {pair.where} changed")
    ours = [_wire(entry) for entry in pair.before.quantization_annotation]
    if ours != [_wire(entry) for entry in pair.after.quantization_annotation]:
        raise RewriteError(f"quantization annotations of {pair.where} changed")


def _wire(message: Message) -> bytes:
    wire: bytes = message.SerializeToString(deterministic=True)
    return wire
