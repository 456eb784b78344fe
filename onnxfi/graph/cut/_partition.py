"""Partitioning a graph into parts that run one after the other, with few values in between."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, field

from onnx import GraphProto, NodeProto

from onnxfi.bits import ElementType
from onnxfi.errors import ModelError
from onnxfi.graph.cut._groups import bound_groups
from onnxfi.graph.index import Model, stored_names
from onnxfi.graph.ops import is_a
from onnxfi.graph.proto import captures


@dataclass(frozen=True, slots=True, kw_only=True)
class Part:
    """Some top-level nodes of a graph that run together.

    Attributes:
        nodes: Their names. A node that is cheap to repeat may be in several parts.
        reads: Values that they read and other parts compute, graph inputs among them.
        makes: Values that they compute and later parts read, or the model returns.
        stored: Stored tensors that they read.
        masks: Whether some node may well turn different values into equal ones: by an activation,
            a selection, a rounding. Others do so by chance only.
    """

    nodes: tuple[str, ...]
    reads: tuple[str, ...]
    makes: tuple[str, ...]
    stored: frozenset[str]
    masks: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Cuts:
    """Where a graph is cut.

    Attributes:
        behind: Computed values that have to cross from one part to another.
        before: Stored tensors; each node that reads one begins a part.
        closed: Computed values that can't cross: they are no tensors, or of a type that can't be
            fed.
        alone: Nodes that are a part of their own, as far as possible.
        work: Whether a part begins before every operator that does much work.
        repeat: Whether DequantizeLinear nodes, with what only moves their values, and nodes that
            only depend on stored tensors, are repeated in each part that needs them, so that the
            runtime can still fuse them.
    """

    behind: AbstractSet[str] = field(default_factory=frozenset)
    before: AbstractSet[str] = field(default_factory=frozenset)
    closed: AbstractSet[str] = field(default_factory=frozenset)
    alone: AbstractSet[str] = field(default_factory=frozenset)
    work: bool = True
    repeat: bool = False


def partition(model: Model, outputs: Sequence[str], cuts: Cuts) -> tuple[Part, ...]:
    """Parts of a model in the order in which they run; nodes that nobody needs are left out.

    A part begins behind every value that has to cross, before every node that reads a chosen
    stored tensor, and before every operator that does much work, as far as no value that can't
    cross is alive there: who makes and who reads such a value run together.

    Args:
        model: The model.
        outputs: Those of its outputs that are wanted.
        cuts: Where it has to be cut.

    Raises:
        ModelError: A value that has to cross can't, or the model has no such value.
    """
    return _Partitioner(model, outputs, cuts).parts()


def closed_values(model: Model) -> frozenset[str]:
    """Computed values that can't cross a cut, as far as types are known: no tensors, or text."""
    index = model.index
    made = (name for node in index.nodes if not node.scope for name in node.outputs if name)
    return frozenset(
        name
        for name in made
        if index.kind_of(name) != "tensor" or index.element_of(name) is ElementType.STRING
    )


def held_together(model: Model, outputs: Sequence[str], cuts: Cuts) -> dict[str, str]:
    """Values of ``cuts.behind`` that no cut can be behind, and why, in terms of other values.

    Arguments as :func:`partition`; values that nothing needs are not among them.
    """
    return _Partitioner(model, outputs, cuts).held()


class _Partitioner:
    """The facts about one graph that partitioning needs."""

    def __init__(self, model: Model, outputs: Sequence[str], cuts: Cuts) -> None:
        graph: GraphProto = model.proto.graph
        self._cuts = cuts
        self._stored = frozenset(stored_names(graph))
        self._outputs = tuple(outputs)
        self._reads = {node.name: tuple(dict.fromkeys(captures(node))) for node in graph.node}
        self._makers = {made: node.name for node in graph.node for made in node.output if made}
        missing = [name for name in cuts.behind if name not in self._makers]
        if missing:
            raise ModelError(f"can't cut behind {missing[0]!r}: no top-level node computes it")
        self._nodes = self._needed(graph)
        self._again = self._repeated() if cuts.repeat else frozenset()
        self._order, self._circle = self._together()

    def parts(self) -> tuple[Part, ...]:
        """The parts."""
        groups = [self._completed(group) for group in self._groups()]
        read_by = [self._outside(group) for group in groups]
        wanted = set(self._outputs)
        found = []
        for group, read in zip(reversed(groups), reversed(read_by), strict=True):
            own = (self._nodes[name] for name in group if name not in self._again)
            makes = tuple(made for node in own for made in _made(node) if made in wanted)
            found.append(
                Part(
                    nodes=tuple(group),
                    reads=tuple(name for name in read if name not in self._stored),
                    makes=makes,
                    stored=frozenset(read) & self._stored,
                    masks=any(_masks(self._nodes[name]) for name in group),
                )
            )
            wanted.update(read)
        return tuple(reversed(found))

    def _needed(self, graph: GraphProto) -> dict[str, NodeProto]:
        """Nodes that outputs need, in the order of the graph."""
        needed: set[str] = set()
        pending = list(self._outputs)
        while pending:
            maker = self._makers.get(pending.pop())
            if maker is not None and maker not in needed:
                needed.add(maker)
                pending.extend(self._reads[maker])
        return {node.name: node for node in graph.node if node.name in needed}

    def held(self) -> dict[str, str]:
        """Values of ``behind`` that can't cross, with a value of those that can't be parted."""
        found = {}
        for value in self._cuts.behind:
            circle = self._circle.get(self._makers[value])
            if circle is None or value in self._cuts.closed:
                continue
            if any(value in self._depends(name) for name in circle):
                found[value] = next(
                    made
                    for name in circle
                    for made in _made(self._nodes[name])
                    if made in self._cuts.closed
                )
        return found

    def _together(self) -> tuple[list[str], dict[str, list[str]]]:
        """Nodes in the order in which they are cut, and those that can't be cut apart by node."""
        order = [name for name in self._nodes if name not in self._again]
        number = {name: position for position, name in enumerate(order)}
        readers: dict[str, list[int]] = {}
        for name in order:
            for value in set(self._depends(name)):
                readers.setdefault(value, []).append(number[name])
        closed = {
            number[name]: [n for value in made for n in readers.get(value, ())]
            for name in order
            if (made := self._cuts.closed & set(_made(self._nodes[name])))
        }
        if not closed:
            return order, {}
        reads = [
            [number[m] for v in self._depends(name) if (m := self._makers.get(v)) in number]
            for name in order
        ]
        circles = [[order[n] for n in circle] for circle in bound_groups(reads, closed)]
        apart = {name: circle for circle in circles if len(circle) > 1 for name in circle}
        return [name for circle in circles for name in circle], apart

    def _groups(self) -> Iterator[list[str]]:
        """Consecutive nodes, cut where that is wanted and possible."""
        group: list[str] = []
        due: set[str] = set()  # values made in the group that have to cross
        previous = ""
        for name in self._order:
            node, circle = self._nodes[name], self._circle.get(name)
            inside = circle is not None and circle is self._circle.get(previous)
            alone = previous in self._cuts.alone
            if group and not inside and (due or alone or self._begins(node)):
                yield group
                group, due = [], set()
            held = next((value for value in self._depends(name) if value in due), None)
            if held is not None:
                raise ModelError(
                    f"can't cut behind {held!r}: values that are no plain numbers, or of a type"
                    " that can't be fed, hold its maker and its reader together"
                )
            group.append(name)
            due |= self._cuts.behind & set(node.output)
            previous = name
        if group:
            yield group

    def _begins(self, node: NodeProto) -> bool:
        """Whether a part should begin with a node."""
        if (self._cuts.work and is_a(node.op_type, "heavy")) or node.name in self._cuts.alone:
            return True
        stored = self._cuts.before
        return any(name in stored for name in self._depends(node.name))

    def _depends(self, name: str) -> Iterator[str]:
        """What a node reads, directly or through nodes that are repeated with it."""
        for value in self._reads[name]:
            yield value
            maker = self._makers.get(value)
            if maker in self._again:
                yield from self._depends(maker)

    def _completed(self, group: Sequence[str]) -> list[str]:
        """A group with the repeated nodes that it needs, in the order of the graph."""
        whole = set(group)
        pending = list(group)
        while pending:
            for value in self._reads[pending.pop()]:
                maker = self._makers.get(value)
                if maker in self._again and maker not in whole:
                    whole.add(maker)
                    pending.append(maker)
        return [name for name in self._nodes if name in whole]

    def _outside(self, group: Sequence[str]) -> list[str]:
        """What a group reads from outside itself, stored tensors included."""
        made = {value for name in group for value in _made(self._nodes[name])}
        read = dict.fromkeys(value for name in group for value in self._reads[name])
        return [value for value in read if value not in made]

    def _repeated(self) -> frozenset[str]:
        """Nodes that are repeated in the parts that read them."""
        known = set(self._stored)
        kept = self._cuts.behind | set(self._outputs)
        repeated: set[str] = set()
        for name, node in self._nodes.items():
            made = _made(node)
            if not kept.isdisjoint(made):
                continue
            reads = self._reads[name]
            static = not is_a(node.op_type, "random") and known.issuperset(reads)
            if static and (reads or node.op_type == "Constant"):
                known.update(made)
                repeated.add(name)
            elif node.op_type == "DequantizeLinear" or self._moves(node, repeated):
                repeated.add(name)
        return frozenset(repeated)

    def _moves(self, node: NodeProto, repeated: AbstractSet[str]) -> bool:
        """Whether a node only moves what is made again anyway."""
        reads = self._reads[node.name]
        return (
            is_a(node.op_type, "moves") and bool(reads) and self._makers.get(reads[0]) in repeated
        )


def _made(node: NodeProto) -> list[str]:
    return [name for name in node.output if name]


def _masks(node: NodeProto) -> bool:
    """Whether a node may well turn different values into equal ones."""
    if not is_a(node.op_type, "faithful"):
        return True
    # What onnxruntime has fused into it, such as Relu.
    return any(attribute.name.startswith("activation") for attribute in node.attribute)
