"""Stuck bits: one bit of one element is held at 0 or 1."""

from __future__ import annotations

from dataclasses import dataclass, field

from onnxfi.errors import ConfigError
from onnxfi.faults.models._model import NumberedModel, Product, bit_product
from onnxfi.faults.models._selection import Bits, BitSelection, select_bits
from onnxfi.faults.sites import FaultSite


@dataclass(frozen=True, slots=True)
class StuckAt(NumberedModel):
    """Hold one bit of one element at 0 or 1.

    With m chosen bits in the site's format, fault number n is element ``n // m`` and chosen bit
    ``n % m``, from the least significant up. A bit that already has the value is a fault too.

    Attributes:
        value: 0 or 1.
        bits: Which bits may be hit, as for :class:`BitFlip`.

    Raises:
        ConfigError: ``value`` is neither 0 nor 1, or ``bits`` is no choice of bits.
    """

    value: int
    bits: Bits | BitSelection = None
    _chosen: BitSelection = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        chosen = select_bits(self.bits)
        object.__setattr__(self, "bits", chosen.spec() or None)
        object.__setattr__(self, "_chosen", chosen)
        if self.value not in (0, 1):
            raise ConfigError(f"a bit can be stuck at 0 or 1, not at {self.value!r}")

    def spec(self) -> str:
        """``stuck0[:bits=...]`` or ``stuck1[:bits=...]``."""
        return f"stuck{int(self.value)}{self._chosen.part()}"

    def _faults(self, site: FaultSite) -> Product:
        return bit_product(site, self._chosen, 1, "stuck1" if self.value else "stuck0")
