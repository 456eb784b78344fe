"""Clocks, and ratios with intervals.

A campaign is a list of blocks: one fault-free run, then a few injections. The mean ratio is the
mean time of an injection over the mean time of a fault-free run, which is what a user pays; the
median is that of single injections, each over the mean of the two fault-free runs around it.
Whole blocks are resampled for the intervals, since what slows a machine lasts longer than a run.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Generic, TypeVar

import numpy as np
from numpy.typing import NDArray

Interval = tuple[float, float, float]
_RESAMPLES = 2000
_SEED = 1
_Value = TypeVar("_Value")


@dataclass(frozen=True, slots=True)
class Timed(Generic[_Value]):
    """What a call gave, and the seconds that it took."""

    value: _Value
    cpu: float
    wall: float


def timed(call: Callable[[], _Value]) -> Timed[_Value]:
    """Call and time. CPU time is that of all threads of the process, without waiting for a core."""
    wall, cpu = time.perf_counter(), time.process_time()
    value = call()
    spent = time.process_time() - cpu
    return Timed(value, spent, time.perf_counter() - wall)


@dataclass(slots=True)
class Series:
    """Interleaved times: ``base[k]`` stands before the injections of block k, the last one after.

    Attributes:
        base: Seconds of fault-free runs, one more than there are blocks.
        blocks: Seconds of injections, by block.
    """

    base: list[float] = field(default_factory=list)
    blocks: list[list[float]] = field(default_factory=list)

    @property
    def injections(self) -> int:
        """How many there are."""
        return sum(len(block) for block in self.blocks)

    def base_mean(self) -> float:
        """Mean seconds of a fault-free run."""
        return float(np.mean(self.base))

    def mean(self) -> float:
        """Mean seconds of an injection."""
        return float(np.mean([second for block in self.blocks for second in block]))

    def around(self, block: int) -> float:
        """Seconds of a fault-free run beside a block."""
        return (self.base[block] + self.base[block + 1]) / 2

    def mean_ratio(self, extra: float = 0.0) -> Interval:
        """Mean injection, with ``extra`` seconds added, over mean fault-free run."""
        sums = np.array([sum(block) for block in self.blocks])
        counts = np.array([len(block) for block in self.blocks])
        base = np.array([self.around(k) for k in range(len(self.blocks))])
        return bootstrap(
            lambda k: (sums[k].sum(-1) / counts[k].sum(-1) + extra) / base[k].mean(-1),
            len(self.blocks),
        )

    def median_ratio(self) -> Interval:
        """Median over injections of the time over that of the fault-free runs around it."""
        widest = max(len(block) for block in self.blocks)
        ratios = np.full((len(self.blocks), widest), np.nan)
        for k, block in enumerate(self.blocks):
            ratios[k, : len(block)] = np.array(block) / self.around(k)

        def median(chosen: NDArray[np.intp]) -> NDArray[np.float64]:
            drawn = ratios[chosen]
            flat = drawn.reshape(*drawn.shape[:-2], -1)
            return np.asarray(np.nanmedian(flat, axis=-1), np.float64)

        return bootstrap(median, len(self.blocks))


def bootstrap(
    statistic: Callable[[NDArray[np.intp]], NDArray[np.float64]], blocks: int
) -> Interval:
    """A statistic with its 95 % percentile interval over resampled blocks.

    Args:
        statistic: Of block numbers, along the last axis.
        blocks: How many blocks there are.
    """
    value = float(statistic(np.arange(blocks)[np.newaxis])[0])
    chosen = np.random.default_rng(_SEED).integers(0, blocks, (_RESAMPLES, blocks))
    low, high = np.quantile(statistic(chosen), (0.025, 0.975))
    return value, float(low), float(high)


def mean_interval(values: Sequence[float]) -> Interval:
    """A mean with its bootstrap interval."""
    array = np.array(values)
    return bootstrap(lambda k: np.asarray(array[k].mean(-1), np.float64), len(array))
