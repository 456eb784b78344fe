"""Bit selections: which bits of an element a fault model may touch, format by format."""

from __future__ import annotations

import difflib
import re
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import groupby
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from onnxfi.bits import format_of
from onnxfi.errors import ConfigError, FaultError
from onnxfi.faults.sites import FaultSite

Bits: TypeAlias = int | str | Sequence[int | str] | None
"""What users may give as bits: None (all), 30, [0, 1, 30], "exponent", "0-7,30", "sign,0-3"."""

FIELDS = ("sign", "exponent", "mantissa", "magnitude")
_HIGHEST = 63
_RANGE = re.compile(r"(\d+)\s*(?:-|\.\.)\s*(\d+)")


@dataclass(frozen=True, slots=True, kw_only=True)
class BitSelection:
    """A choice of bits that is resolved for each site's own format.

    Attributes:
        numbers: Chosen bit numbers, ascending and unique; bit 0 is the least significant.
        fields: Chosen fields, in the order sign, exponent, mantissa, magnitude.

    With neither, all bits are chosen.
    """

    numbers: tuple[int, ...] = ()
    fields: tuple[str, ...] = ()

    @property
    def everything(self) -> bool:
        """Whether no choice was made."""
        return not self.numbers and not self.fields

    def spec(self) -> str:
        """Text that :func:`select_bits` reads back: ``"0-7,30,sign"``; empty for all bits."""
        runs: list[str] = []
        for _, run in groupby(enumerate(self.numbers), key=lambda pair: pair[1] - pair[0]):
            bits = [bit for _, bit in run]
            runs.append(str(bits[0]) if len(bits) == 1 else f"{bits[0]}-{bits[-1]}")
        return ",".join([*runs, *self.fields])

    def part(self) -> str:
        """The selection as a part of a fault model's text: ``:bits=0-7``; empty for all bits."""
        return "" if self.everything else f":bits={self.spec()}"

    def resolve(self, site: FaultSite) -> NDArray[np.int64]:
        """The chosen bits of one site's format.

        Returns:
            int64 (m,), ascending. Empty where only fields were chosen and the format has none.

        Raises:
            FaultError: A chosen bit number is out of range for the site.
        """
        form = format_of(site.element)
        if self.everything:
            return np.arange(form.width)
        for bit in self.numbers:
            if bit >= form.width:
                raise out_of_range(bit, site)
        chosen = set(self.numbers)
        for field in self.fields:
            chosen.update(form.fields.get(field, ()))
        return np.array(sorted(chosen), dtype=np.int64)


def select_bits(bits: Bits | BitSelection) -> BitSelection:
    """Read a user's choice of bits.

    Args:
        bits: None for all bits; a bit number; a field (``sign``, ``exponent``, ``mantissa``,
            ``magnitude``); text such as ``"0-7,30"``, ``"0..3"`` or ``"sign,0-3"``; or a sequence
            of those.

    Raises:
        ConfigError: Not a choice of bits: empty, negative, above 63, or an unknown field.
    """
    if isinstance(bits, BitSelection):
        return bits
    if bits is None:
        return BitSelection()
    numbers: set[int] = set()
    fields: set[str] = set()
    for item in [bits] if isinstance(bits, int | str | np.integer) else bits:
        for part in item.split(",") if isinstance(item, str) else [item]:
            _add(part, numbers, fields)
    if not numbers and not fields:
        raise ConfigError("no bits chosen; leave bits out to choose all of them")
    return BitSelection(
        numbers=tuple(sorted(numbers)), fields=tuple(name for name in FIELDS if name in fields)
    )


def out_of_range(bit: int, site: FaultSite) -> FaultError:
    """The error for a bit that a site's format does not have."""
    top = format_of(site.element).width - 1
    return FaultError(
        f"bit {bit} is out of range for site {site.name!r} ({site.element.name}, bits 0..{top});"
        f" use --bits 0..{top}"
    )


def _add(part: int | str, numbers: set[int], fields: set[str]) -> None:
    text = part.strip() if isinstance(part, str) else part
    span = _RANGE.fullmatch(text) if isinstance(text, str) else None
    if span:
        low, high = int(span[1]), int(span[2])
        if low > high:
            raise ConfigError(f"bits {text!r} run backwards; write {high}-{low}")
        _number(high)
        numbers.update(range(low, high + 1))
    elif text in FIELDS:
        fields.add(str(text))
    elif isinstance(text, str) and not re.fullmatch(r"-?\d+", text):
        near = difflib.get_close_matches(text, FIELDS, 1)
        hint = f"; did you mean {near[0]!r}?" if near else f" (or a field: {', '.join(FIELDS)})"
        raise ConfigError(f"{text!r} is not a choice of bits such as 30, 0-7 or exponent{hint}")
    else:
        numbers.add(_number(text))


def _number(bit: int | str) -> int:
    if isinstance(bit, bool) or not isinstance(bit, int | str | np.integer):
        raise ConfigError(f"{bit!r} is not a bit number")
    value = int(bit)
    if not 0 <= value <= _HIGHEST:
        raise ConfigError(
            f"bit {value} does not exist; bits are numbered from 0, the least significant, to"
            f" {_HIGHEST} at most"
        )
    return value
