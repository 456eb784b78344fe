"""What the lift engine works on: an executable graph, proven, with a map for every site."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType

from onnxfi.engine._context import EngineContext
from onnxfi.engine._mapping import Image, map_weights
from onnxfi.engine._optimize import optimized, replay_differs
from onnxfi.errors import BackendError, ConfigError, ModelError
from onnxfi.graph import Model

# Operators that pack constant inputs for their kernels when the session starts. Lifted, such an
# input costs time in every run, so it is lifted only where a scenario touches it. The blocked
# convolutions (com.microsoft.nchwc) take a filter that is already laid out.
_PACKING = frozenset(
    """
    Attention ConvInteger ConvTranspose DynamicQuantizeLSTM DynamicQuantizeMatMul FusedGemm
    FusedMatMul GRU Gemm LSTM MatMul MatMulInteger MatMulIntegerToFloat MatMulNBits QAttention
    QGemm QLinearConv QLinearMatMul
    """.split()  # noqa: SIM905 - as a list of words it is easier to read
)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Executable:
    """An executable graph that replays bit for bit, with a verified map for every site.

    Attributes:
        model: The graph.
        images: Where the elements of each site lie, by its name.
        packed: Sites that some operator would pack: lifting them costs time.
    """

    model: Model
    images: Mapping[str, tuple[Image, ...]]
    packed: frozenset[str]

    def initializers(self, sites: Sequence[str]) -> tuple[str, ...]:
        """Initializers that hold some element of the sites, each once."""
        named = (image.initializer for site in sites for image in self.images[site])
        return tuple(dict.fromkeys(named))


def prepare_executable(context: EngineContext) -> Executable:
    """Optimise the model, prove the replay, and map all sites of the campaign.

    Raises:
        ConfigError: The graph does not replay bit for bit, or a site has no verified map.
        BackendError: onnxruntime can't write or run its optimised graph.
        ModelError: That graph can't be read.
    """
    model, settings = context.model, context.settings
    executable = optimized(model, settings)
    differs = replay_differs(model, executable, context.workload, context.profile, settings)
    if differs is not None:
        raise ConfigError(f"{model.source} can't be replayed: {differs}")
    found = map_weights(model, executable, context.sites, settings, every=False)
    if found.unmapped:
        name, reason = next(iter(found.unmapped.items()))
        raise ConfigError(f"site {name!r} can't be lifted: {reason}")
    packed = (name for name, images in found.images.items() if _packed(executable, images))
    return Executable(
        model=executable, images=MappingProxyType(found.images), packed=frozenset(packed)
    )


def why_not(context: EngineContext) -> str | None:
    """Why the lift engine can't run a campaign, None if it can."""
    try:
        prepare_executable(context)
    except (ConfigError, BackendError, ModelError) as error:
        return str(error)
    return None


def _packed(executable: Model, images: Sequence[Image]) -> bool:
    return any(
        use.node.op_type in _PACKING
        for image in images
        for use in executable.index.consumers(image.initializer)
    )
