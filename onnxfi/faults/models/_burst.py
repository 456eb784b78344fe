"""Bursts: one event that hits adjacent bits, adjacent elements, or a row, channel or tile."""

from __future__ import annotations

import math
import re
from dataclasses import dataclass, field
from typing import Annotated, Any, ClassVar, Literal, Self, TypeAlias

from msgspec import Meta

from onnxfi.bits import format_of
from onnxfi.errors import ConfigError
from onnxfi.faults.models._effects import Combinations, Effect, Effects, bit_runs, whole_word
from onnxfi.faults.models._numbered import NumberedModel, Product
from onnxfi.faults.models._patterns import Pattern, nowhere, shape_of_site, single_elements, windows
from onnxfi.faults.models._selection import Bits, BitSelection, select_bits
from onnxfi.faults.models._text import ModelText
from onnxfi.faults.sites import FaultSite

BurstEffect: TypeAlias = Literal["flip", "stuck0", "stuck1", "zero"]
EFFECTS: tuple[BurstEffect, ...] = ("flip", "stuck0", "stuck1", "zero")
PATTERNS = ("bits", "elements", "row", "channel", "tile")
_SIZED = ("bits", "elements")
_LONGEST_RUN = 64


@dataclass(frozen=True, slots=True)
class Burst(NumberedModel):
    """A fault on several neighbours at once.

    What is hit, by ``along``:

    - ``"bits"``: ``length`` adjacent bits of one element, all of them chosen bits.
    - ``"elements"``: ``length`` elements that follow each other in memory (C order).
    - an axis (an int, negative from the end): ``length`` neighbours along that axis; without a
      length, the whole line along it.
    - ``"row"``: a whole line along the last axis.
    - ``"channel"``: everything with one index along axis 0 of a stored tensor of two or more
      dimensions (the output channel of Conv weights), along axis 1 of a computed one.
    - ``"tile"``: a block of ``tile`` = (height, width) over the last two axes.

    Bursts lie within one sample and never wrap around; where one does not fit, there is no fault.
    What happens, by ``effect``: every hit element has the same bit flipped or stuck (``"bits"``:
    the run of bits), or becomes the all-zero word.

    Numbering: position of the burst in C order of its first element, outermost; then the chosen
    bit (``"bits"``: the lowest bit of the run), from the least significant up. ``"zero"`` has one
    fault a position.

    Attributes:
        length: Number of neighbours; needed for ``"bits"`` and ``"elements"``.
        along: See above.
        tile: Height and width of a tile.
        bits: Which bits may be hit, as for :class:`BitFlip`.
        effect: ``"flip"``, ``"stuck0"``, ``"stuck1"`` or ``"zero"``.

    Raises:
        ConfigError: The parts contradict each other.
    """

    name: ClassVar[str] = "burst"
    help: ClassVar[str] = "adjacent bits or elements, a row, a channel or a tile are hit at once"
    forms: ClassVar[tuple[str, ...]] = ("burst:LENGTH", "burst:row")

    length: Annotated[int | None, Meta(description="Neighbours.", extra={"bare": True})] = None
    along: Annotated[
        str | int, Meta(description="Bits, elements, row, channel, tile, or the number of an axis.")
    ] = "bits"
    tile: Annotated[
        tuple[int, int] | None,
        Meta(description="Height and width of a tile.", extra={"metavar": "HxW"}),
    ] = None
    bits: Annotated[
        Bits | BitSelection, Meta(description="Which bits may be hit.", extra={"metavar": "BITS"})
    ] = None
    effect: Annotated[BurstEffect, Meta(description="What happens to what is hit.")] = "flip"
    _chosen: BitSelection = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        chosen = select_bits(self.bits)
        object.__setattr__(self, "bits", chosen.spec() or None)
        object.__setattr__(self, "_chosen", chosen)
        if self.tile is not None:
            object.__setattr__(self, "tile", tuple(self.tile))
        problem = _problem(self)
        if problem:
            raise ConfigError(problem)

    @classmethod
    def read(cls, text: ModelText) -> Self:
        """The model that a text stands for; ``burst:row`` is short for ``burst:along=row``."""
        options = text.options(cls)
        short, tile = options.get(""), options.get("tile")
        length, along = options.get("length"), options.get("along", "bits")
        if short in PATTERNS:
            along = short
        elif short is not None:
            length = short
        if tile is not None:
            along = "tile"
        effect: Any = options.get("effect", "flip")
        return cls(
            None if length is None else text.integer("length", length),
            along=along if along in PATTERNS else text.integer("along", along),
            tile=None if tile is None else _tile(text, tile),
            bits=options.get("bits"),
            effect=effect,
        )

    def spec(self) -> str:
        """``burst[:LENGTH][:along=...][:tile=HxW][:effect=...][:bits=...]``."""
        parts = ["burst"]
        if self.length is not None:
            parts.append(str(self.length))
        if self.tile is not None:
            parts.append(f"tile={self.tile[0]}x{self.tile[1]}")
        elif self.along != "bits":
            parts.append(f"along={self.along}")
        if self.effect != "flip":
            parts.append(f"effect={self.effect}")
        if not self._chosen.everything:
            parts.append(f"bits={self._chosen.spec()}")
        return ":".join(parts)

    def faults(self, site: FaultSite) -> Product:
        """Every position of the burst, and every chosen bit or run of bits."""
        return Product(pattern=self._pattern(site), effects=self._effects(site))

    def _effects(self, site: FaultSite) -> Effects:
        width = format_of(site.element).width
        if self.effect == "zero":
            return whole_word(0, width)
        bits = self._chosen.resolve(site)
        effect: Effect = self.effect
        if self.along == "bits":
            return bit_runs(bits, self.length or 1, effect, width)
        return Combinations(bits=bits, size=1, effect=effect, width=width)

    def _pattern(self, site: FaultSite) -> Pattern:
        """Positions in the site's tensor; none where it has too few dimensions."""
        shape = shape_of_site(site)
        if self.along == "bits":
            return single_elements(shape)
        if self.along == "elements":
            return windows((math.prod(shape),), (self.length or 1,))
        if self.along == "tile":
            if self.tile is None or len(shape) < 2:
                return nowhere()
            return windows(shape, (*[1] * (len(shape) - 2), *self.tile))
        if self.along == "channel":
            return _channel(site, shape)
        axis = -1 if self.along == "row" else int(self.along)
        if not -len(shape) <= axis < len(shape):
            return nowhere()
        extents = [1] * len(shape)
        extents[axis] = shape[axis] if self.length is None else self.length
        return windows(shape, tuple(extents))


def _tile(text: ModelText, tile: str) -> tuple[int, int]:
    found = re.fullmatch(r"(\d+)[x×](\d+)", tile)
    if not found:
        raise text.error(f": tile {tile!r} is not like 4x4 (height x width)")
    return int(found[1]), int(found[2])


def _channel(site: FaultSite, shape: tuple[int, ...]) -> Pattern:
    axis = 0 if site.kind.stored else 1
    batch_axis = None if site.layout is None else site.layout.batch_axis
    if len(shape) < 2 or batch_axis == axis:
        return nowhere()
    extents = list(shape)
    extents[axis] = 1
    return windows(shape, tuple(extents))


def _problem(burst: Burst) -> str | None:
    """What is wrong with the parts of a burst, if anything."""
    length, along = burst.length, burst.along
    if burst.effect not in EFFECTS:
        return f"effect {burst.effect!r} of a burst is not one of {', '.join(EFFECTS)}"
    if isinstance(along, bool) or (isinstance(along, str) and along not in PATTERNS):
        return f"a burst goes along {', '.join(PATTERNS)} or an axis number, not {along!r}"
    if (along == "tile") != (burst.tile is not None):
        return "a burst along 'tile' needs tile=(height, width), and no other burst takes it"
    if burst.tile is not None and (len(burst.tile) != 2 or min(burst.tile) < 1):
        return f"a tile needs a height and a width of at least 1, got {burst.tile}"
    return _length_problem(length, along) or _bits_problem(burst)


def _length_problem(length: int | None, along: str | int) -> str | None:
    if length is None:
        return f"a burst along {along!r} needs a length" if along in _SIZED else None
    if along in ("row", "channel", "tile"):
        return f"a burst along {along!r} has its length from the tensor; leave length out"
    if length < 1 or (along == "bits" and length > _LONGEST_RUN):
        most = f" (and at most {_LONGEST_RUN} bits)" if along == "bits" else ""
        return f"length {length} of a burst is out of range, it starts at 1{most}"
    return None


def _bits_problem(burst: Burst) -> str | None:
    if burst.effect != "zero":
        return None
    if burst.bits is not None:
        return "a burst with effect 'zero' clears whole elements; leave bits out"
    if burst.along == "bits":
        return "effect 'zero' clears whole elements; use along='elements', or effect 'stuck0'"
    return None
