"""Routes: how a scenario is carried out, in which graph, and why there."""

from __future__ import annotations

from dataclasses import dataclass, field

from onnxfi.engine.cut._late import LateStart
from onnxfi.engine.executable import Opening
from onnxfi.outcome import GraphKind, GraphUse


@dataclass(frozen=True, slots=True, kw_only=True)
class Route:
    """How a scenario is carried out.

    Attributes:
        use: The graph, and why that one.
        opening: What it is opened for; None if the scenario is baked.
    """

    use: GraphUse
    opening: Opening | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Tried:
    """What came of opening a graph.

    Attributes:
        kind: What kind of graph it is; None if there is none.
        against: Why better kinds of it were passed over, or why there is none.
        untrusted: Computed sites whose places in it are not the stored tensors.
    """

    kind: GraphKind | None
    against: tuple[str, ...] = ()
    untrusted: frozenset[str] = field(default_factory=frozenset)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Held:
    """A graph that is open, and what came of opening it."""

    late: LateStart | None
    tried: Tried

    @property
    def nbytes(self) -> int:
        """Bytes held, roughly."""
        return 0 if self.late is None else self.late.nbytes
