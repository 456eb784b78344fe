"""Custom faults: a user's own function as a fault model."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from onnxfi.bits import format_of
from onnxfi.errors import FaultError
from onnxfi.faults.models._columns import Columns
from onnxfi.faults.models._patterns import shape_of_site
from onnxfi.faults.models._scenario import Fault, FaultGroup
from onnxfi.faults.models._selection import out_of_range
from onnxfi.faults.sites import FaultSite

FaultFunction: TypeAlias = Callable[[FaultSite, np.random.Generator], Fault | Iterable[Fault]]
"""Makes one event at a site: a fault, or several that belong together."""


@dataclass(frozen=True, slots=True)
class CustomFault:
    """A user's own fault model.

    The function is called once for each event, with the site and a random generator that depends
    on nothing but seed and scenario; it returns the fault or faults of that event, all at that
    site. A site is chosen as often as its share of the stored bits. The space is not enumerable.

    Attributes:
        function: ``(site, rng) -> Fault | Iterable[Fault]``.
        name: Name in specs and file headers; by default the function's own.
    """

    function: FaultFunction
    name: str = ""

    def __post_init__(self) -> None:
        if not self.name:
            name = getattr(self.function, "__name__", type(self.function).__name__)
            object.__setattr__(self, "name", name)

    @property
    def enumerable(self) -> bool:
        """False: what a number gives depends on the random state."""
        return False

    def spec(self) -> str:
        """``custom:NAME``; it names the function, but can't be read back."""
        return f"custom:{self.name}"

    def variants(self, site: FaultSite) -> int:
        """Stored bits of the site, as its weight among the sites."""
        return math.prod(shape_of_site(site)) * format_of(site.element).width

    def columns(
        self, site: FaultSite, numbers: NDArray[np.int64], rng: np.random.Generator
    ) -> Columns:
        """One event for each number; which number it is makes no difference.

        Raises:
            FaultError: The function returned something else than faults at this site.
        """
        rows: list[tuple[int, int, int, int, int]] = []
        for owner in range(len(numbers)):
            made = self.function(site, rng)
            for fault in [made] if isinstance(made, Fault) else made:
                rows.append((owner, *_row(fault, site, self.name)))
        owners, index, keep, toggle, sample = zip(*rows, strict=True) if rows else ((),) * 5
        return Columns(
            owner=np.array(owners, dtype=np.int64),
            index=np.array(index, dtype=np.int64),
            and_mask=np.array(keep, dtype=np.uint64),
            xor_mask=np.array(toggle, dtype=np.uint64),
            sample=np.array(sample, dtype=np.int64) if any(s >= 0 for s in sample) else None,
        )

    def number(self, site: FaultSite, group: FaultGroup) -> int | None:  # noqa: ARG002
        """None: the faults of a function have no numbers."""
        return None


def _row(fault: Fault, site: FaultSite, name: str) -> tuple[int, int, int, int]:
    """Index, masks and sample of one fault, checked against its site."""
    if not isinstance(fault, Fault):
        raise FaultError(f"custom fault {name!r} returned {type(fault).__name__}, expected Fault")
    if fault.site != site.name:
        raise FaultError(
            f"custom fault {name!r} was asked for a fault at site {site.name!r}, got one at"
            f" {fault.site!r}"
        )
    full = format_of(site.element).mask
    elements = math.prod(shape_of_site(site))
    if not 0 <= fault.index < elements:
        raise FaultError(
            f"custom fault {name!r}: element {fault.index} is out of range for site"
            f" {site.name!r} ({elements} elements)"
        )
    if not 0 <= fault.xor_mask <= full:
        raise out_of_range(fault.xor_mask.bit_length() - 1, site)
    sample = -1 if fault.sample is None else fault.sample
    # A kept bit above the element's width is no bit of it; Python's ~0 is a usual "keep all".
    return fault.index, fault.and_mask & full, fault.xor_mask, sample
