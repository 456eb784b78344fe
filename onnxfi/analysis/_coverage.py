"""How often intervals hold what they promise, measured on a census."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from onnxfi.analysis._interval import Interval
from onnxfi.sampling import Stream, permutation

Estimator = Callable[[NDArray[np.float64], int], Interval]


def interval_coverage(
    census: NDArray[np.float64], n: int, estimator: Estimator, *, repeats: int, seed: int
) -> float:
    """Share of samples whose interval contains the mean of the census.

    Args:
        census: float64 (N,), the value of every scenario there is: 0 or 1 for failures, failed
            samples / samples for failed shares.
        n: Scenarios a sample.
        estimator: Called with the values of a sample in the order drawn, float64 (n,), and N.
        repeats: Samples to draw, without replacement, as uniform sampling does.
        seed: 0..2^64 - 1.

    Returns:
        0..1; a nominal 95 % interval should give 0.95 or a little more.
    """
    truth = float(np.mean(census))
    size, hits = len(census), 0
    for repeat in range(repeats):
        drawn = permutation(size, seed, Stream.SUBSET, repeat).many(np.arange(n))
        interval = estimator(census[drawn], size)
        # The mean of a census and that of its draws may differ in the last digit.
        hits += interval.low - 1e-12 <= truth <= interval.high + 1e-12
    return hits / repeats
