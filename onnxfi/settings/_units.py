"""Durations and sizes with their units, as people write them."""

from __future__ import annotations

import re

from onnxfi.errors import ConfigError

_QUANTITY = re.compile(r"(?P<number>\d+(?:\.\d*)?|\.\d+)\s*(?P<unit>[a-z]*)", re.ASCII)
_SECONDS = {"": 1.0, "s": 1.0, "m": 60.0, "min": 60.0, "h": 3600.0, "d": 86400.0}
_BYTES = {"b": 1} | {
    f"{prefix}{middle}b": base**power
    for power, prefix in enumerate("kmgt", 1)
    for middle, base in (("", 1000), ("i", 1024))
}


def parse_size(text: str) -> int:
    """Bytes of a size such as ``512MiB``, ``0.5GB`` or ``800 kB``; upper and lower case are one.

    Raises:
        ConfigError: The text is no size, or has no unit.
    """
    found = _QUANTITY.fullmatch(text.strip().lower())
    if found is None or found["unit"] not in _BYTES:
        raise ConfigError(
            f"'{text}' is not a size in memory; give a number with a unit, such as 512MiB, 1GB or "
            "0.5GB"
        )
    return int(float(found["number"]) * _BYTES[found["unit"]])


def parse_duration(text: str) -> float:
    """Seconds of a duration such as ``90``, ``90s``, ``15m``, ``2h`` or ``1d``.

    Raises:
        ConfigError: The text is no duration, or not above 0.
    """
    found = _QUANTITY.fullmatch(text.strip().lower())
    if found is None or found["unit"] not in _SECONDS:
        raise ConfigError(f"'{text}' is not a duration; use seconds, or 90s, 15m, 2h, 1d")
    seconds = float(found["number"]) * _SECONDS[found["unit"]]
    if seconds <= 0:
        raise ConfigError("a duration must be above 0")
    return seconds
