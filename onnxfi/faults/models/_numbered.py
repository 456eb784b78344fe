"""Fault models whose faults at a site are a numbered product of places and effects."""

from __future__ import annotations

from abc import ABC, abstractmethod

import numpy as np
from numpy.typing import NDArray

from onnxfi.faults.models._model import Columns
from onnxfi.faults.models._product import Product
from onnxfi.faults.models._scenario import FaultGroup
from onnxfi.faults.sites import FaultSite


class NumberedModel(ABC):
    """The part of an enumerable fault model that follows from its faults at a site."""

    __slots__ = ()

    @property
    def enumerable(self) -> bool:
        """True: a number stands for exactly one fault."""
        return True

    def variants(self, site: FaultSite) -> int:
        """How many faults the site allows: places times effects."""
        return self._faults(site).count

    def columns(
        self,
        site: FaultSite,
        numbers: NDArray[np.int64],
        rng: np.random.Generator,  # noqa: ARG002
    ) -> Columns:
        """The faults that numbers stand for: one row for each element hit."""
        return self._faults(site).columns(numbers)

    def number(self, site: FaultSite, group: FaultGroup) -> int | None:
        """The number of a fault, or None if it is none of this model."""
        return self._faults(site).number(site, group)

    @abstractmethod
    def _faults(self, site: FaultSite) -> Product:
        """All faults at a site, numbered."""
