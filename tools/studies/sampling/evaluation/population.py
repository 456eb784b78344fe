"""The finite population that samplers are tried on: what is known, standing for all there is."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from evaluation.truth import Numbers, Truth, bits_of, level
from onnxfi.analysis import Interval, StratifiedDesign
from onnxfi.errors import ConfigError
from onnxfi.faults import FaultSpace

Values = NDArray[np.float64]
Flags = NDArray[np.bool_]

_CENSUS, _REST = 0, 1  # strata; those of single bits follow


@dataclass(frozen=True, kw_only=True, eq=False)
class Population:
    """Faults with known outcomes, each standing for some faults like it.

    A fault of a bit that has a census, in its site or in all, stands for itself. Others were drawn
    uniformly: of a bit that was sampled on its own, or of all bits that are left. They stand for
    all of theirs, in equal parts. Samplers are tried on the population in which every fault is
    there that often, so it is as large as the target, and its failure rate is the stratified
    estimate of the target's.

    Attributes:
        fault: int64 (m,), numbers.
        drop: float32 (m,), relative accuracy drop of each.
        copies: int64 (m,), how many faults each stands for.
        stratum: int64 (m,).
        sizes: int64 (strata,), faults that exist in each stratum.
        exact: Whether failing faults are known, and not only estimated.
    """

    fault: Numbers
    drop: NDArray[np.float32]
    copies: Numbers
    stratum: Numbers
    sizes: Numbers
    exact: bool

    @property
    def size(self) -> int:
        """Faults in all."""
        return int(self.sizes.sum())

    def failing(self, threshold: float) -> Flags:
        """Which faults fail, bool (m,)."""
        return self.drop >= np.float32(threshold)

    def rate(self, threshold: float, confidence: float = 0.95) -> Interval:
        """The failure rate; its interval is without width where failing faults are known."""
        hit = self.failing(threshold)
        if self.exact:
            value = float((self.copies * hit).sum()) / self.size
            return Interval(
                value=value,
                low=value,
                high=value,
                confidence=confidence,
                n=len(hit),
                method="census",
            )
        return StratifiedDesign(codes=self.stratum, sizes=self.sizes).rate(hit, confidence)

    def critical(self, threshold: float) -> int:
        """How many faults fail, of all; an estimate unless exact."""
        return int((self.copies * self.failing(threshold)).sum())

    @cached_property
    def share_sampled(self) -> float:
        """Share of all faults that are not in a census."""
        return 1 - float(self.sizes[_CENSUS]) / self.size


def population(truth: Truth, space: FaultSpace) -> Population:
    """The population that a truth tells about.

    Raises:
        ConfigError: The truth is of another space, or faults are left that nothing is known of.
    """
    if truth.space != space.size:
        raise ConfigError(
            f"the truth is about {truth.space} faults, the target has {space.size}; make it again"
        )
    bits, census = bits_of(space, truth.fault), truth.in_census(space, truth.fault)
    stratum = np.where(census, _CENSUS, _REST)
    sizes = [int(census.sum()), 0]
    for place, bit in enumerate(truth.sampled_bits.tolist()):
        mine = bits == bit
        stratum[mine & ~census] = _REST + 1 + place
        sizes.append(len(level(space, bit)) - int((mine & census).sum()))
    sizes[_REST] = truth.space - sum(sizes)
    copies = np.zeros(len(bits), np.int64)
    for place, size in enumerate(sizes):
        mine = stratum == place
        copies[mine] = _shared_out(size, int(mine.sum()))
    return Population(
        fault=truth.fault,
        drop=truth.drop,
        copies=copies,
        stratum=stratum,
        sizes=np.array(sizes, np.int64),
        exact=truth.complete,
    )


def _shared_out(size: int, among: int) -> Numbers:
    """Whole numbers that differ by 1 at most and sum to ``size``."""
    if not among:
        if size:
            raise ConfigError(f"nothing is known of {size} faults of the truth's space")
        return np.zeros(0, np.int64)
    return np.diff(np.arange(among + 1) * size // among)
