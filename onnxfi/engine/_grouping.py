"""Grouping: which sites of a campaign one graph can be opened for without losing kernels."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from onnxfi.bits import ElementType
from onnxfi.engine._context import EngineContext
from onnxfi.engine._optimize import optimized
from onnxfi.engine._settings import EngineSettings
from onnxfi.errors import BackendError, ModelError
from onnxfi.faults import FaultSite
from onnxfi.graph import Model, expose

_HALVES = frozenset({ElementType.FLOAT16, ElementType.BFLOAT16})


@dataclass(frozen=True, slots=True, kw_only=True)
class Together:
    """How the computed sites of a campaign share graphs.

    Attributes:
        sites: Sites that can all exist at once in the optimised graph.
        quantized: Whether the model has integer operators, which other sites would disturb.
        halves: Whether it has half-precision values, which only exist where they are looked at.
    """

    sites: tuple[FaultSite, ...]
    quantized: bool
    halves: bool


def kept_together(context: EngineContext) -> Together:
    """Computed sites that can all exist at once in the optimised graph.

    A float between the integer operators of a quantized model makes onnxruntime fall back to
    float kernels around it; or it takes another way around the value. Such sites get a graph of
    their own, so that the rest of the model still runs as deployed. Sites are tried by operator,
    since those of one operator behave alike.
    """
    model, settings = context.model, context.settings
    computed = [site for site in context.sites if not (site.kind.stored or site.body)]
    plain = optimized_with(model, (), settings)
    if plain is None or not computed:
        return Together(sites=tuple(computed), quantized=False, halves=False)
    wanted = integer_kernels(plain)
    # A half-precision value is rounded to wherever it is kept: never more of them than needed.
    computed = [site for site in computed if site.element not in _HALVES]
    kept: list[FaultSite] = []
    tried = [computed]
    if wanted:
        # All at once first: a model seldom needs more.
        by_operator = dict.fromkeys(site.op_type for site in computed)
        tried += [[site for site in computed if site.op_type == op] for op in by_operator]
    for more in tried:
        if kept and len(kept) == len(computed):
            break
        new = [site for site in more if site not in kept]
        found = optimized_with(model, [*kept, *new], settings)
        if found is not None and integer_kernels(found) == wanted:
            kept.extend(site for site in new if _read(model, found, site.name))
    return Together(sites=tuple(kept), quantized=wanted > 0, halves=in_halves(model))


def integer_kernels(model: Model | None) -> int:
    """Integer operators in an optimised graph; -1 if there is no graph."""
    return -1 if model is None else sum(_integer(node.op_type) for node in model.index.nodes)


def optimized_with(
    model: Model, opened: Sequence[FaultSite], settings: EngineSettings
) -> Model | None:
    """The optimised graph with some computed sites kept; None if there is none."""
    try:
        return optimized(expose(model, [site.name for site in opened]), settings)
    except (BackendError, ModelError):
        return None


def in_halves(model: Model) -> bool:
    """Whether a model computes in half precision, which onnxruntime's CPU provider does not.

    It computes in single precision and rounds wherever a half-precision value has to exist.
    """
    made = (name for node in model.index.nodes for name in node.outputs)
    return any(model.index.element_of(name) in _HALVES for name in made)


def _read(model: Model, executable: Model, name: str) -> bool:
    """Whether a value that is kept is on the way to whoever reads it in the stored graph."""
    if not model.index.consumers(name) or executable.index.consumers(name):
        return True
    node = executable.index.producer(name)
    if node is None or node.op_type not in ("ReorderOutput", "Transpose"):
        return False
    # The readers take it in the layout that it is made in.
    return len(executable.index.consumers(node.inputs[0])) > 1


def _integer(op_type: str) -> bool:
    return op_type.startswith(("QLinear", "QGemm", "DynamicQuantize", "QAttention")) or (
        "Integer" in op_type
    )
