"""Conditions of ``--fail-if``: one comparison of a rate with a number, parsed by hand."""

from __future__ import annotations

import math
import operator
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

from onnxfi.errors import ConfigError

if TYPE_CHECKING:
    from onnxfi.analysis import Interval

_OPERATORS: dict[str, Callable[[float, float], bool]] = {
    ">": operator.gt,
    ">=": operator.ge,
    "<": operator.lt,
    "<=": operator.le,
}
_BOUNDS = ("value", "low", "high")
_CONDITION = re.compile(
    r"\s*(?P<rate>[a-z_]+)(?:\.(?P<bound>[a-z]+))?"
    r"\s*(?P<operator>[<>]=?)"
    r"\s*(?P<number>[0-9.eE+-]+)\s*(?P<percent>%?)\s*"
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Condition:
    """One condition, such as ``failure.high > 0.01``.

    Attributes:
        text: The condition as the user wrote it.
        rate: Name of a rate of the summary.
        bound: ``value``, ``low`` or ``high`` of its interval.
        operator: ``>``, ``>=``, ``<`` or ``<=``.
        number: What it is compared with, 0..1.
    """

    text: str
    rate: str
    bound: str
    operator: str
    number: float

    def holds(self, rates: Mapping[str, Interval]) -> bool:
        """Whether the condition is true.

        Raises:
            ConfigError: There is no such rate, or nothing was measured yet.
        """
        interval = rates.get(self.rate)
        if interval is None:
            from onnxfi.analysis import no_such_rate

            raise ConfigError(f"'{self.text}' can't be decided: {no_such_rate(self.rate, rates)}")
        measured = float(getattr(interval, self.bound))
        if interval.n == 0 or math.isnan(measured):
            raise ConfigError(
                f"'{self.text}' can't be decided: '{self.rate}' has no finished scenarios yet; "
                "run the campaign first"
            )
        return _OPERATORS[self.operator](measured, self.number)


def parse_condition(text: str) -> Condition:
    """Parse ``RATE[.value|.low|.high] OP NUMBER``; without a suffix the upper bound is meant.

    Raises:
        ConfigError: The text is not such a comparison.
    """
    found = _CONDITION.fullmatch(text)
    number = _number(found["number"]) if found else None
    if found is None or number is None:
        raise ConfigError(
            f"'{text}' is not a condition; write RATE OPERATOR NUMBER, "
            'such as "failure.high > 0.01" (operators: > >= < <=)'
        )
    bound = found["bound"] or "high"
    if bound not in _BOUNDS:
        raise ConfigError(f"'{text}' asks for '.{bound}'; a rate has .value, .low and .high")
    return Condition(
        text=text.strip(),
        rate=found["rate"],
        bound=bound,
        operator=found["operator"],
        number=number / 100 if found["percent"] else number,
    )


def _number(text: str) -> float | None:
    try:
        value = float(text)
    except ValueError:
        return None
    return value if math.isfinite(value) else None
