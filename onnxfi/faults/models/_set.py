"""Set value: one element is replaced, by a given number or by a uniformly random word."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Annotated, Any, ClassVar, Self

import numpy as np
from msgspec import Meta
from numpy.typing import NDArray

from onnxfi.bits import Masks, encode, format_of
from onnxfi.errors import ConfigError, FaultError
from onnxfi.faults.models._columns import Columns
from onnxfi.faults.models._effects import whole_word
from onnxfi.faults.models._numbered import Product
from onnxfi.faults.models._patterns import shape_of_site, single_elements
from onnxfi.faults.models._scenario import FaultGroup
from onnxfi.faults.models._text import ModelText
from onnxfi.faults.sites import FaultSite

_RANDOM = "random"
_SPECIAL = ("nan", "inf", "-inf")
_INTEGER = re.compile(r"[+-]?\d+")


@dataclass(frozen=True, slots=True)
class SetValue:
    """Replace one element by a number, stored in the site's own format, or by a random word.

    Fault number n is element n. A random word is uniform over all words of the element's width,
    drawn anew for each fault; then the space is not enumerable.

    Attributes:
        value: A number (rounded to the nearest of a float format; met exactly by an integer
            format, in stored form: a quantized tensor is set to a code, not to what it stands
            for), or ``"random"``.

    Raises:
        ConfigError: ``value`` is neither a number nor ``"random"``.
    """

    name: ClassVar[str] = "set"
    help: ClassVar[str] = "an element is replaced by a number or by a random word"
    forms: ClassVar[tuple[str, ...]] = ("set:VALUE", "set:random")
    column: ClassVar[Any] = int | float | str

    value: Annotated[
        float | int | str,
        Meta(description="A number, or random for any word.", extra={"bare": True}),
    ] = 0

    def __post_init__(self) -> None:
        # numpy's numbers become Python's, whose repr is plain text for the spec.
        value: Any = self.value
        if isinstance(value, np.number):
            value = value.item()
        object.__setattr__(self, "value", value)
        number = isinstance(value, int | float) and not isinstance(value, bool)
        if not number and value != _RANDOM:
            raise ConfigError(f"a value to set is a number or 'random', not {self.value!r}")

    @property
    def enumerable(self) -> bool:
        """False for random words."""
        return self.value != _RANDOM

    @classmethod
    def read(cls, text: ModelText) -> Self:
        """``set:VALUE`` or ``set:random``."""
        value = text.options(cls).get("")
        if value is None:
            raise text.error(" needs a value, such as set:0.5 or set:random")
        if value == _RANDOM:
            return cls(value)
        try:
            return cls(int(value) if _INTEGER.fullmatch(value) else float(value))
        except ValueError:
            raise text.error(f": {value!r} is not a number") from None

    @classmethod
    def masks(cls, name: str, values: Sequence[Any], site: FaultSite) -> Masks:
        """Numbers of a fault list, or the texts ``nan``, ``inf`` and ``-inf``."""
        # By text: 0.0 and -0.0 are equal, but different words.
        words: dict[str, int] = {}
        for value in values:
            if repr(value) in words:
                continue
            if isinstance(value, str) and value not in _SPECIAL:
                raise FaultError(
                    f"{name} {value!r} is neither a number nor one of {', '.join(_SPECIAL)}"
                )
            try:
                number = float(value) if isinstance(value, str) else value
                words[repr(value)] = encode(number, site.element)
            except ConfigError as error:
                raise FaultError(f"{error} (site {site.name!r})") from None
        found = np.array([words[repr(value)] for value in values], dtype=np.uint64)
        return Masks(np.zeros(1, np.uint64), found)

    def spec(self) -> str:
        """``set:VALUE`` or ``set:random``."""
        return f"set:{self.value if isinstance(self.value, str) else repr(self.value)}"

    def variants(self, site: FaultSite) -> int:
        """Number of elements.

        Raises:
            FaultError: The site's format has no such number, or its shape is not known.
        """
        return self.faults(site).count

    def columns(
        self, site: FaultSite, numbers: NDArray[np.int64], rng: np.random.Generator
    ) -> Columns:
        """The faults that numbers stand for; random words are drawn in the order of numbers."""
        columns = self.faults(site).columns(numbers)
        if self.enumerable:
            return columns
        # Raw bits of the generator: numpy keeps them from version to version, distributions not.
        raw = np.asarray(rng.bit_generator.random_raw(len(numbers)), np.uint64)
        words = raw & np.uint64(format_of(site.element).mask)
        return Columns(
            owner=columns.owner, index=columns.index, and_mask=columns.and_mask, xor_mask=words
        )

    def number(self, site: FaultSite, group: FaultGroup) -> int | None:
        """The number of a fault, or None if it is none of this model."""
        if not self.enumerable:
            # Any word may have been drawn, so only the element counts.
            if len(group) != 1 or (group.and_mask[0] & np.uint64(format_of(site.element).mask)):
                return None
            return single_elements(shape_of_site(site)).find(group.index)
        return self.faults(site).number(site, group)

    def faults(self, site: FaultSite) -> Product:
        """Every element, with one word."""
        word = 0
        if not isinstance(self.value, str):
            try:
                word = encode(self.value, site.element)
            except ConfigError as error:
                raise FaultError(
                    f"{error}; site {site.name!r} can't take fault model {self.spec()!r}: leave it "
                    "out with --exclude, or choose other --targets"
                ) from None
        effects = whole_word(word, format_of(site.element).width)
        return Product(pattern=single_elements(shape_of_site(site)), effects=effects)
