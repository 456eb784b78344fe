"""Stored tensors as inputs: those that onnxruntime then overlooks have to be baked."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from onnxfi.engine._context import EngineContext
from onnxfi.engine._optimize import overlooked_inputs
from onnxfi.errors import BackendError, ModelError, RewriteError
from onnxfi.faults import FaultSite
from onnxfi.graph import lift_initializers


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
    """

    def __init__(self, context: EngineContext) -> None:
        self._context = context
        self._found: dict[tuple[str, ...], Settled] = {}

    def settle(self, sites: Sequence[FaultSite]) -> Settled:
        """Which of some sites can be inputs of one graph; those that can't stay constants in it."""
        key = tuple(site.name for site in sites)
        if key not in self._found:
            self._found[key] = self._settle(tuple(sites))
        return self._found[key]

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
