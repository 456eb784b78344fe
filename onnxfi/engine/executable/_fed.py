"""Stored tensors as inputs: what onnxruntime overlooks, and what costs kernels, is baked."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from onnxfi.engine.executable._grouping import Deployed, low_bit_kernels, optimized_with
from onnxfi.engine.executable._optimize import overlooked_inputs
from onnxfi.engine.golden import EngineContext
from onnxfi.errors import BackendError, ModelError, RewriteError
from onnxfi.faults import FaultSite
from onnxfi.graph import lift_initializers

OVERLOOKED = "as an input the tensor is overlooked by onnxruntime"


@dataclass(frozen=True, slots=True, kw_only=True)
class Settled:
    """Stored sites that were to be inputs.

    Attributes:
        kept: Those that the optimised graph reads.
        lost: Those that it does not read any more, though the model does.
    """

    kept: tuple[FaultSite, ...]
    lost: tuple[FaultSite, ...]


class FedSites:
    """Finds stored tensors that can't be fed.

    Some of onnxruntime's fusions take the number that is in a constant (the epsilon of a layer
    normalisation), and where that is no constant they fuse all the same, with a number of their
    own. A fault that is fed would reach nothing. Baked, it is what the runtime makes of it.

    Args:
        context: Model and settings.
        deployed: What the model is deployed as.
    """

    def __init__(self, context: EngineContext, deployed: Deployed) -> None:
        self._context = context
        self._deployed = deployed
        self._found: dict[tuple[str, ...], Settled] = {}

    def settle(self, sites: Sequence[FaultSite]) -> Settled:
        """Which of some sites can be inputs of one graph; those that can't stay constants in it."""
        key = tuple(site.name for site in sites)
        if key not in self._found:
            self._found[key] = self._settle(tuple(sites))
        return self._found[key]

    def against(self, sites: Sequence[FaultSite]) -> str | None:
        """Why some stored tensors had better stay constants, None if they can be inputs.

        Fed, faults would reach nothing; or the model would lack kernels that it is deployed with,
        as it does with most scales of QDQ models as inputs.
        """
        if self.settle(sites).lost:
            return OVERLOOKED
        wanted = self._deployed.kernels
        if not wanted:
            return None
        context = self._context
        opened = lift_initializers(context.model, [site.name for site in sites])
        found = low_bit_kernels(optimized_with(opened, (), context.settings))
        if found == wanted:
            return None
        gone = ", ".join(sorted(wanted - found)) or "other kernels"
        return f"as an input the tensor costs kernels that the model is deployed with: {gone}"

    def _settle(self, sites: tuple[FaultSite, ...]) -> Settled:
        settings = self._context.settings
        if settings.optimization == "disabled" or settings.graph == "deployed":
            return Settled(kept=sites, lost=())
        # Devices share the fusions of the CPU, and only its graphs can be written and read.
        settings = replace(settings, provider="cpu", provider_options={})
        kept, lost = sites, tuple[FaultSite, ...]()
        while kept:
            fed = lift_initializers(self._context.model, [site.name for site in kept])
            try:
                overlooked = overlooked_inputs(fed, settings)
            except (BackendError, ModelError, RewriteError):
                break
            gone = tuple(site for site in kept if site.name in overlooked)
            if not gone:
                break
            lost += gone
            kept = tuple(site for site in kept if site not in gone)
        return Settled(kept=kept, lost=lost)
