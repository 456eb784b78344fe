"""Failure rates that strata can be expected to have, from a pilot sample."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from onnxfi.errors import ConfigError
from onnxfi.sampling._strata import Stratum

_PRIOR = 0.5  # failures that every stratum is taken to have beside those seen


def expected_rates(
    found: Sequence[Stratum], numbers: NDArray[np.int64], failed: NDArray[np.bool_]
) -> dict[str, float]:
    """Expected failure rates by stratum, as :class:`StratifiedSampler` takes them.

    p_h = (k_h + 1/2) / (n_h + 1 / (2 p)), with k_h of the n_h pilot scenarios of a stratum failed,
    and p the rate over all: as if each stratum had half a failure more, at the rate of all. A
    stratum with few pilot scenarios, or none, is taken to be as the whole, and none gets nothing.

    Args:
        found: The strata.
        numbers: int64 (n,), fault numbers of the pilot's scenarios.
        failed: bool (n,), whether each failed.

    Raises:
        ConfigError: There are no pilot scenarios.
    """
    if not len(numbers):
        raise ConfigError("a pilot without scenarios says nothing of the strata")
    home = np.full(len(numbers), -1, np.int64)
    for position, stratum in enumerate(found):
        home[stratum.holds(numbers)] = position
    seen = np.bincount(home[home >= 0], minlength=len(found))
    hits = np.bincount(home[(home >= 0) & failed], minlength=len(found))
    everywhere = (failed.sum() + _PRIOR) / (len(failed) + 2 * _PRIOR)
    rates = (hits + _PRIOR) / (seen + _PRIOR / everywhere)
    return {stratum.key: float(rate) for stratum, rate in zip(found, rates, strict=True)}
