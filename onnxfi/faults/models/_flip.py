"""Bit faults on single elements: flipped bits and stuck bits."""

from __future__ import annotations

from dataclasses import dataclass, field

from onnxfi.bits import format_of
from onnxfi.errors import ConfigError
from onnxfi.faults.models._effects import Combinations, Effect
from onnxfi.faults.models._numbered import NumberedModel
from onnxfi.faults.models._places import shape_of_site, single_elements
from onnxfi.faults.models._product import Product
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

    bits: Bits | BitSelection = None
    count: int = 1
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
        return f"flip{count}{_bits(self._chosen)}"

    def _faults(self, site: FaultSite) -> Product:
        return _bit_faults(site, self._chosen, self.count, "flip")


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
        return f"stuck{int(self.value)}{_bits(self._chosen)}"

    def _faults(self, site: FaultSite) -> Product:
        return _bit_faults(site, self._chosen, 1, "stuck1" if self.value else "stuck0")


def _bit_faults(site: FaultSite, chosen: BitSelection, count: int, effect: Effect) -> Product:
    effects = Combinations(
        bits=chosen.resolve(site), size=count, effect=effect, width=format_of(site.element).width
    )
    return Product(places=single_elements(shape_of_site(site)), effects=effects)


def _bits(chosen: BitSelection) -> str:
    return "" if chosen.everything else f":bits={chosen.spec()}"
