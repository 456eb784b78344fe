"""Truth files: which faults of a target were injected, and what each did."""

from __future__ import annotations

from dataclasses import dataclass, fields
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from onnxfi.bits import format_of
from onnxfi.faults import FaultSpace
from onnxfi.files import atomic_file

Numbers = NDArray[np.int64]


@dataclass(frozen=True, kw_only=True, eq=False)
class Truth:
    """What is known about a target's faults.

    Attributes:
        fault: int64 (m,), numbers of the faults that were injected, ascending.
        drop: float32 (m,), relative accuracy drop of each.
        census_bits: int64, bits of which every fault was injected.
        close_sites: str, names of sites of which more bits have a census.
        close_bits: int64, these bits.
        sampled_bits: int64, bits of which more were drawn, uniformly, than the sample of all.
        uniform: int64, numbers of the faults that were drawn uniformly from all.
        space: How many faults there are.
        golden: Images answered right without faults.
        skipped_reason: Why the bits of which not every fault was injected are taken as harmless
            but for what the uniform sample found; empty if they are not.
        seconds: CPU time of the injections.
    """

    fault: Numbers
    drop: NDArray[np.float32]
    census_bits: Numbers
    close_sites: NDArray[np.str_]
    close_bits: Numbers
    sampled_bits: Numbers
    uniform: Numbers
    space: int
    golden: int
    skipped_reason: str
    seconds: float

    def write(self, path: Path) -> None:
        """Write to a compressed ``.npz``."""
        values: dict[str, Any] = {each.name: getattr(self, each.name) for each in fields(self)}
        with atomic_file(path) as file:
            np.savez_compressed(file, allow_pickle=False, **values)

    @classmethod
    def read(cls, path: Path) -> Truth:
        """Read what :meth:`write` has written."""
        with np.load(path, allow_pickle=False) as data:
            return cls(
                fault=data["fault"],
                drop=data["drop"],
                census_bits=data["census_bits"],
                close_sites=data["close_sites"] if "close_sites" in data else np.zeros(0, "<U1"),
                close_bits=data["close_bits"] if "close_bits" in data else np.zeros(0, np.int64),
                sampled_bits=data["sampled_bits"],
                uniform=data["uniform"],
                space=int(data["space"]),
                golden=int(data["golden"]),
                skipped_reason=str(data["skipped_reason"]),
                seconds=float(data["seconds"]),
            )

    def in_census(self, space: FaultSpace, numbers: Numbers) -> NDArray[np.bool_]:
        """Whether each fault is one of those of which all were injected, bool (n,)."""
        bits = bits_of(space, numbers)
        names = np.array([site.name for site in space.sites])
        near = np.isin(names, self.close_sites)[space.site_positions(numbers)]
        return np.isin(bits, self.census_bits) | (near & np.isin(bits, self.close_bits))

    @cached_property
    def complete(self) -> bool:
        """Whether the failing faults are known, not only estimated."""
        return bool(self.skipped_reason) or len(self.fault) == self.space


def level(space: FaultSpace, bit: int) -> Numbers:
    """Numbers of all flips of one bit, ascending; sites whose format lacks it have none."""
    found = [np.zeros(0, np.int64)]
    for segment in space.segments:
        site = space.sites[segment.site]
        width = format_of(site.element).width
        if bit < width and site.layout is not None:
            found.append(segment.start + bit + width * np.arange(site.layout.elements))
    return np.concatenate(found)


def bits_of(space: FaultSpace, numbers: Numbers) -> Numbers:
    """The bit that each fault flips, int64 (n,); fast for millions."""
    starts = np.array([segment.start for segment in space.segments])
    widths = np.array([format_of(space.sites[s.site].element).width for s in space.segments])
    home = np.searchsorted(starts, numbers, side="right") - 1
    return np.asarray((numbers - starts[home]) % widths[home])
