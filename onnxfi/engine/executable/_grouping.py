"""Grouping: which computed values of a model one graph can hold without losing kernels."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Sequence
from functools import cached_property

from onnxfi.bits import ElementType
from onnxfi.engine.executable._optimize import optimized
from onnxfi.engine.golden import EngineContext
from onnxfi.engine.runtime import EngineSettings
from onnxfi.errors import BackendError, ModelError
from onnxfi.faults import FaultSite, SiteKind, enumerate_sites
from onnxfi.graph import Model, expose, node_attributes
from onnxfi.graph.ops import is_a

_HALVES = frozenset({ElementType.FLOAT16, ElementType.BFLOAT16})
# They round what they read to 8 bits, and do so only while their weights are constants.
_ROUNDING_LEVEL = 4


class Deployed:
    """What onnxruntime makes of a model when nothing is asked of it, found when it is needed.

    Args:
        context: Model and settings.
    """

    def __init__(self, context: EngineContext) -> None:
        self._context = context

    @cached_property
    def graph(self) -> Model | None:
        """The optimised graph; None where there is none (other providers than the CPU's)."""
        return optimized_with(self._context.model, (), self._context.settings)

    @cached_property
    def kernels(self) -> Counter[str]:
        """Its kernels for integers and packed weights, by type; none where nothing is known."""
        return low_bit_kernels(self.graph)

    @cached_property
    def quantized(self) -> bool:
        """Whether it computes with integers, which other values beside them would disturb."""
        return integer_kernels(self.graph) > 0

    @cached_property
    def halves(self) -> bool:
        """Whether the model has half-precision values, which only exist where they are seen."""
        return self.graph is not None and in_halves(self._context.model)


def kept_together(context: EngineContext, deployed: Deployed) -> tuple[FaultSite, ...]:
    """Computed sites of the model that can all exist at once in the optimised graph.

    All sites of the model are asked about, whatever a campaign is about: so the graph that they
    share is the same for all campaigns.

    A float between the integer operators of a quantized model makes onnxruntime fall back to
    float kernels around it; or it takes another way around the value. Such sites get a graph of
    their own, so that the rest of the model still runs as deployed. Sites are tried by operator,
    since those of one operator behave alike.

    Returns:
        The sites, without layouts.
    """
    model, settings = context.model, context.settings
    computed = _computed(model)
    if deployed.graph is None or not computed:
        return tuple(computed)
    wanted = deployed.kernels
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
        if found is not None and low_bit_kernels(found) == wanted:
            kept.extend(site for site in new if _read(model, found, site.name))
    return tuple(kept)


def _computed(model: Model) -> list[FaultSite]:
    """All computed sites of a model but those of control-flow bodies, whose graphs are others."""
    return [site for site in _sites(model) if not (site.kind.stored or site.body)]


def stored_sites(model: Model, kinds: Collection[SiteKind]) -> tuple[FaultSite, ...]:
    """All stored sites of some kinds that a model has, whatever a campaign is about."""
    return tuple(site for site in _sites(model) if site.kind.stored and site.kind in kinds)


def _sites(model: Model) -> Sequence[FaultSite]:
    return enumerate_sites(model.index, model.inputs, model.outputs).sites


def integer_kernels(model: Model | None) -> int:
    """Integer operators in an optimised graph; -1 if there is no graph."""
    return -1 if model is None else sum(_integer(node.op_type) for node in model.index.nodes)


def low_bit_kernels(model: Model | None) -> Counter[str]:
    """Operators of an optimised graph that compute with integers or on packed weights, by type."""
    nodes = () if model is None else model.index.nodes
    return Counter(
        node.op_type for node in nodes if _integer(node.op_type) or is_a(node.op_type, "low_bit")
    )


def rounded_when_packed(model: Model) -> frozenset[str]:
    """Initializers of an optimised graph that have to stay constants.

    MatMulNBits with ``accuracy_level`` 4 rounds its activations to 8 bits, but only in the kernel
    that packs weights and scales when the session starts. As an input, one of them would bring
    another arithmetic with it, not only another order of additions.
    """
    return frozenset(
        name
        for node in model.index.nodes
        if node.op_type == "MatMulNBits" and _rounds(model, node.name)
        for name in node.inputs
        if name in model.index.initializers
    )


def _rounds(model: Model, node: str) -> bool:
    return bool(node_attributes(model, node).get("accuracy_level") == _ROUNDING_LEVEL)


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


def stays_whole(model: Model) -> bool:
    """Whether the runtime makes other kernels of a model when it is cut wherever work begins.

    Roundings to half precision come and go with cuts, and quantized operators are fused from
    nodes before and behind them.
    """
    quantizing = ("QuantizeLinear", "DynamicQuantizeLinear")
    return in_halves(model) or any(node.op_type in quantizing for node in model.index.nodes)


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
