"""Numbers as people read them: rates, intervals, sizes, durations, counts."""

from __future__ import annotations

import math
import re
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from onnxfi.analysis import Interval


_HASH = re.compile(r"\b[0-9a-f]{64}\b")
_UNITS = ("B", "KiB", "MiB", "GiB", "TiB")


def rate_text(value: float) -> str:
    """A rate in 0..1 with four decimals, or two significant digits where those would be lost."""
    if math.isnan(value):
        return "-"
    if value == 0 or abs(value) >= 0.001:
        return f"{value:.4f}"
    return f"{value:.1e}"


def interval_text(interval: Interval) -> str:
    """``0.0423 [0.0312, 0.0561]``; the share alone where it is only of the scenarios run."""
    if interval.of_search:
        return rate_text(interval.value)
    low, high = rate_text(interval.low), rate_text(interval.high)
    return f"{rate_text(interval.value)} [{low}, {high}]"


def count_text(number: int) -> str:
    """A whole number with its thousands apart."""
    return f"{number:,}"


def counted(number: int, noun: str) -> str:
    """``1 site``, ``2,000 sites``."""
    return f"{count_text(number)} {noun}{'' if number == 1 else 's'}"


def share_text(part: int, whole: int) -> str:
    """``99.9 %``; never rounded up to all or down to none."""
    if whole == 0:
        return "-"
    percent = 100 * part / whole
    if part not in (0, whole):
        percent = min(max(percent, 0.1), 99.9)
    return f"{percent:.1f} %"


def bytes_text(size: float) -> str:
    """A size in binary units."""
    for unit in _UNITS:
        if size < 1024 or unit == _UNITS[-1]:
            return f"{size:.0f} {unit}" if unit == "B" else f"{size:.1f} {unit}"
        size /= 1024
    raise AssertionError("unreachable: the last unit takes any size")


def duration_text(seconds: float) -> str:
    """``4.2 s``, ``3 min 05 s``, ``2 h 10 min`` or ``3 d 04 h``."""
    if seconds < 59.95:
        return f"{seconds:.1f} s"
    minutes, rest = divmod(round(seconds), 60)
    if minutes < 60:
        return f"{minutes} min {rest:02d} s"
    hours, minutes = divmod(minutes, 60)
    if hours < 48:
        return f"{hours} h {minutes:02d} min"
    days, hours = divmod(hours, 24)
    return f"{days} d {hours:02d} h"


def short_spec(spec: str) -> str:
    """A fault model's text, the hash of a graph cut to its first digits."""
    return _HASH.sub(lambda found: found[0][:12], spec)
