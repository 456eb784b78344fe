"""Stuck bits: one bit of one element is held at 0 or 1."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Annotated, Any, ClassVar, Self

from msgspec import Meta

from onnxfi.bits import Masks
from onnxfi.errors import ConfigError
from onnxfi.faults.models._effects import Effect, bit_masks
from onnxfi.faults.models._numbered import NumberedModel, Product, bit_product
from onnxfi.faults.models._selection import Bits, BitSelection, select_bits
from onnxfi.faults.models._text import ModelText
from onnxfi.faults.sites import FaultSite

_VALUES = {"stuck0": 0, "stuck1": 1}
_EFFECTS: tuple[Effect, Effect] = ("stuck0", "stuck1")


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

    name: ClassVar[str] = "stuck"
    help: ClassVar[str] = "a bit of an element is held at 0 or 1"
    forms: ClassVar[tuple[str, ...]] = ("stuck0", "stuck1")
    column: ClassVar[Any] = int

    value: int
    bits: Annotated[
        Bits | BitSelection, Meta(description="Which bits may be hit.", extra={"metavar": "BITS"})
    ] = None
    _chosen: BitSelection = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        chosen = select_bits(self.bits)
        object.__setattr__(self, "bits", chosen.spec() or None)
        object.__setattr__(self, "_chosen", chosen)
        if self.value not in (0, 1):
            raise ConfigError(f"a bit can be stuck at 0 or 1, not at {self.value!r}")

    @classmethod
    def read(cls, text: ModelText) -> Self:
        """``stuck0`` or ``stuck1``: the value is part of the name."""
        return cls(_VALUES[text.name], **text.values(cls))

    def spec(self) -> str:
        """``stuck0[:bits=...]`` or ``stuck1[:bits=...]``."""
        return f"stuck{int(self.value)}{self._chosen.part()}"

    @classmethod
    def masks(cls, name: str, values: Sequence[Any], site: FaultSite) -> Masks:
        """Bit numbers of a fault list: each is held at the value that the column names."""
        return bit_masks(name, values, site, _EFFECTS[_VALUES[name]])

    def faults(self, site: FaultSite) -> Product:
        """Every element, and every chosen bit."""
        return bit_product(site, self._chosen, 1, _EFFECTS[self.value])
