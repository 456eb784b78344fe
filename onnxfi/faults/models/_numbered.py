"""The base of fault models whose faults at a site are patterns of elements times effects."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from onnxfi.bits import Masks, format_of
from onnxfi.faults.models._columns import Columns
from onnxfi.faults.models._effects import Combinations, Effect, Effects
from onnxfi.faults.models._patterns import Pattern, shape_of_site, single_elements
from onnxfi.faults.models._scenario import FaultGroup
from onnxfi.faults.models._selection import BitSelection
from onnxfi.faults.models._text import TextForm
from onnxfi.faults.sites import FaultSite


@dataclass(frozen=True, slots=True, kw_only=True)
class Product:
    """Faults of one site, numbered ``place * effects.count + effect``."""

    pattern: Pattern
    effects: Effects

    @property
    def count(self) -> int:
        """Number of faults."""
        return self.pattern.count * self.effects.count

    def columns(self, numbers: NDArray[np.int64]) -> Columns:
        """The faults that numbers stand for, rows of one fault by ascending element."""
        place, effect = np.divmod(numbers, max(self.effects.count, 1))
        masks = self.effects.masks(effect)
        offsets = self.pattern.offsets
        index = (self.pattern.base(place)[:, None] + offsets).reshape(-1)
        return Columns(
            owner=np.repeat(np.arange(len(numbers)), len(offsets)),
            index=index,
            and_mask=np.repeat(np.asarray(masks.and_mask, dtype=np.uint64), len(offsets)),
            xor_mask=np.repeat(np.asarray(masks.xor_mask, dtype=np.uint64), len(offsets)),
        )

    def number(self, site: FaultSite, group: FaultGroup) -> int | None:
        """The number of a fault, or None if it is none of these."""
        full = np.uint64(format_of(site.element).mask)
        keep, toggle = group.and_mask & full, group.xor_mask
        same = len(group) > 0 and (keep == keep[0]).all() and (toggle == toggle[0]).all()
        if not same or group.sample is not None:
            return None
        place = self.pattern.find(np.sort(group.index))
        effect = self.effects.find(Masks(int(keep[0]), int(toggle[0])))
        if place is None or effect is None:
            return None
        return place * self.effects.count + effect


class NumberedModel(TextForm, ABC):
    """The part of an enumerable fault model that follows from its faults at a site."""

    __slots__ = ()

    @property
    def enumerable(self) -> bool:
        """True: a number stands for exactly one fault."""
        return True

    def variants(self, site: FaultSite) -> int:
        """How many faults the site allows: positions times effects."""
        return self.faults(site).count

    def columns(
        self,
        site: FaultSite,
        numbers: NDArray[np.int64],
        rng: np.random.Generator,  # noqa: ARG002
    ) -> Columns:
        """The faults that numbers stand for: one row for each element hit."""
        return self.faults(site).columns(numbers)

    def number(self, site: FaultSite, group: FaultGroup) -> int | None:
        """The number of a fault, or None if it is none of this model."""
        return self.faults(site).number(site, group)

    @abstractmethod
    def faults(self, site: FaultSite) -> Product:
        """All faults at a site, numbered; an empty pattern where the model does not apply.

        Raises:
            FaultError: The site's shape is not known, or the model asks for bits it lacks.
        """


def bit_product(site: FaultSite, chosen: BitSelection, count: int, effect: Effect) -> Product:
    """One effect on every choice of ``count`` of the chosen bits of every element."""
    effects = Combinations(
        bits=chosen.resolve(site), size=count, effect=effect, width=format_of(site.element).width
    )
    return Product(pattern=single_elements(shape_of_site(site)), effects=effects)
