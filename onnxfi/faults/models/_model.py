"""Fault models: the protocol, and the columns in which one speaks of many faults at once."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol, runtime_checkable

import numpy as np
from numpy.typing import NDArray

from onnxfi.faults.models._scenario import FaultGraph, FaultGroup
from onnxfi.faults.sites import FaultSite


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Columns:
    """Faults on one site, one a row; several rows can belong to one fault number.

    Attributes:
        owner: int64 (r,), position in the array of numbers that the row belongs to; ascending.
        index: int64 (r,), flat element index within one sample.
        and_mask: uint64 (r,), bits kept, within the element's width.
        xor_mask: uint64 (r,), bits flipped afterwards, likewise.
        sample: int64 (r,), workload sample of each row, -1 for every sample; None when all are -1.
        graph: What becomes of the elements of all rows, in place of the masks; None for masks.
    """

    owner: NDArray[np.int64]
    index: NDArray[np.int64]
    and_mask: NDArray[np.uint64]
    xor_mask: NDArray[np.uint64]
    sample: NDArray[np.int64] | None = None
    graph: FaultGraph | None = None


@runtime_checkable
class FaultModel(Protocol):
    """How bits are corrupted: a numbered set of variants at each site.

    The numbering is part of the file formats: a variant keeps its number for good.
    """

    @property
    def enumerable(self) -> bool:
        """Whether a number stands for exactly one fault, whatever the random state."""
        ...

    def spec(self) -> str:
        """Text form, as the command line takes it and as file headers hold it."""
        ...

    def variants(self, site: FaultSite) -> int:
        """How many faults of this model the site allows; 0 where the model does not apply.

        Raises:
            FaultError: The site's shape is not known, or the model asks for bits it lacks.
        """
        ...

    def columns(
        self, site: FaultSite, numbers: NDArray[np.int64], rng: np.random.Generator
    ) -> Columns:
        """The faults that numbers stand for.

        Args:
            site: Where.
            numbers: int64 (n,), each in ``[0, variants(site))``.
            rng: The only source of randomness; untouched by enumerable models.
        """
        ...

    def number(self, site: FaultSite, group: FaultGroup) -> int | None:
        """The number of a fault, or None if it is none of this model; inverse of ``columns``."""
        ...
