"""Bit flips: one or several bits of one element are inverted."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Annotated, Any, ClassVar

from msgspec import Meta

from onnxfi.bits import Masks
from onnxfi.errors import ConfigError
from onnxfi.faults.models._effects import bit_masks
from onnxfi.faults.models._numbered import NumberedModel, Product, bit_product
from onnxfi.faults.models._selection import Bits, BitSelection, select_bits
from onnxfi.faults.sites import FaultSite


@dataclass(frozen=True, slots=True)
class BitFlip(NumberedModel):
    """Invert ``count`` bits of one element.

    With m chosen bits in the site's format, fault number n is: element ``n // C(m, count)``, and
    the choice ``n % C(m, count)`` of its bits in colexicographic order; for a single bit that is
    the chosen bits from the least significant up.

    Attributes:
        bits: Which bits may be hit: None for all, a number, a field (``"sign"``,
            ``"exponent"``, ``"mantissa"``, ``"magnitude"``), text such as ``"0-7,30"``, or a
            sequence of those. Bit 0 is the least significant.
        count: Bits flipped together, in the same element.

    Raises:
        ConfigError: ``bits`` is no choice of bits, or ``count`` is not in 1..64.
    """

    name: ClassVar[str] = "flip"
    help: ClassVar[str] = "one or several bits of an element are inverted"
    forms: ClassVar[tuple[str, ...]] = ("flip",)
    column: ClassVar[Any] = int

    bits: Annotated[
        Bits | BitSelection, Meta(description="Which bits may be hit.", extra={"metavar": "BITS"})
    ] = None
    count: Annotated[int, Meta(description="Bits flipped together.", ge=1, le=64)] = 1
    _chosen: BitSelection = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        chosen = select_bits(self.bits)
        object.__setattr__(self, "bits", chosen.spec() or None)
        object.__setattr__(self, "_chosen", chosen)
        if not 1 <= self.count <= 64:
            raise ConfigError(f"count of flipped bits is {self.count}, expected 1..64")
        if chosen.numbers and not chosen.fields and self.count > len(chosen.numbers):
            raise ConfigError(
                f"{self.count} bits are to flip together, but only {len(chosen.numbers)} are"
                f" chosen ({chosen.spec()})"
            )

    def spec(self) -> str:
        """``flip[:count=N][:bits=...]``."""
        count = f":count={self.count}" if self.count > 1 else ""
        return f"flip{count}{self._chosen.part()}"

    @classmethod
    def masks(cls, name: str, values: Sequence[Any], site: FaultSite) -> Masks:
        """Bit numbers of a fault list: each is inverted."""
        return bit_masks(name, values, site, "flip")

    def faults(self, site: FaultSite) -> Product:
        """Every element, and every choice of ``count`` of the chosen bits."""
        return bit_product(site, self._chosen, self.count, "flip")
