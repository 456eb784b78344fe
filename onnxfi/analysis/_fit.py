"""FIT rates: failures in a billion hours of operation, from the upset rate of memory."""

from __future__ import annotations

from dataclasses import dataclass

from onnxfi.analysis._interval import Interval
from onnxfi.errors import ConfigError

_MBIT = 1e6


@dataclass(frozen=True, slots=True, kw_only=True)
class FailuresInTime:
    """Failures in 10^9 hours (FIT).

    Attributes:
        value: The estimate.
        low: Lower end of its interval.
        high: Upper end.
        fit_per_mbit: Upsets in 10^9 hours of a million bits that it starts from.
        bits: Bits that can be upset.
    """

    value: float
    low: float
    high: float
    fit_per_mbit: float
    bits: int


def failures_in_time(rate: Interval, bits: int, fit_per_mbit: float) -> FailuresInTime:
    """FIT = failure rate of an upset x upsets in 10^9 hours of all bits.

    An upset bit is taken to stay until it is used, as in memory that nothing scrubs; upsets to come
    one at a time, and at the same rate in all bits.

    Args:
        rate: Share of single bit flips that make the network fail.
        bits: Bits that were chosen from, all equally likely to be upset.
        fit_per_mbit: Raw upsets in 10^9 hours of 10^6 bits.

    Raises:
        ConfigError: The raw rate is not above 0.
    """
    if not 0 < fit_per_mbit < float("inf"):
        raise ConfigError(f"the upset rate is {fit_per_mbit} FIT per Mbit, expected above 0")
    raw = fit_per_mbit * bits / _MBIT
    return FailuresInTime(
        value=rate.value * raw,
        low=rate.low * raw,
        high=rate.high * raw,
        fit_per_mbit=fit_per_mbit,
        bits=bits,
    )
