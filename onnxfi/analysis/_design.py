"""What a sampling design is: how scenarios were chosen, and what they say about all of them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar, NamedTuple, Protocol

import numpy as np
from numpy.typing import NDArray

from onnxfi.analysis._interval import Interval
from onnxfi.faults import FaultListHeader
from onnxfi.sampling import ScenarioSource

Values = NDArray[np.float64]
Flags = NDArray[np.bool_]


class Domain(NamedTuple):
    """A part of all scenarios.

    Attributes:
        inside: bool (n,), which of those seen are in it.
        faults: Scenarios that exist in it, None if not known.
    """

    inside: Flags
    faults: int | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Efficiency:
    """How much an importance sample tells.

    Attributes:
        variance_reduction: Uniform scenarios that one of these stands for in the failure rate, by
            its estimated variance; None where nothing or everything failed.
        effective_size: Uniform scenarios that all of these stand for in quantities that the scores
            know nothing of (Kish).
    """

    variance_reduction: float | None
    effective_size: float


class Design(Protocol):
    """How the scenarios seen were chosen from all that exist.

    A design of one's own derives from this class, is registered (:data:`DESIGNS`), and is what the
    ``design`` of a sampler names.

    Attributes:
        name: Its name, as samplers and headers of fault lists have it.
        help: How rates follow, in a few words.
        picked: Whether scenarios were picked to find failures: shares are of the scenarios run.
        each_once: Whether the scenarios of a written list were drawn from its space, each once.
    """

    name: ClassVar[str]
    help: ClassVar[str]
    picked: ClassVar[bool] = False
    each_once: ClassVar[bool] = False

    @classmethod
    def of(cls, source: ScenarioSource, header: FaultListHeader, n: int) -> Design:
        """The design of the first ``n`` scenarios of a source.

        Args:
            source: The scenarios.
            header: Header of their fault list.
            n: Scenarios seen.

        Raises:
            FaultListError: The list lacks what makes such a sample.
        """
        ...

    def rate(
        self,
        hit: Flags,
        confidence: float,
        domain: Domain | None = None,
        *,
        exact: bool = False,
    ) -> Interval:
        """Share of all scenarios that are hit.

        Args:
            hit: bool (n,), of the scenarios seen, in the order drawn.
            confidence: Level of the interval.
            domain: The part that is asked for; None for all.
            exact: Whether the level must hold for every share there can be, and not on average:
                so at looks, of which the one with the worst interval decides.

        Raises:
            ConfigError: No scenario was seen, or a confidence out of range.
        """
        ...

    def mean(self, values: Values, confidence: float, usual: float = 0.0) -> Interval:
        """Mean over all scenarios of values in [0, 1].

        Arguments and errors as :meth:`rate`, and ``usual``: what the value is where a fault does
        nothing.
        """
        ...

    def point(self, values: Values, inside: Flags) -> float:
        """Mean over the scenarios of a domain, without an interval."""
        ...

    def total(self, values: Values) -> float:
        """Estimated sum over all scenarios, in any fixed unit."""
        ...

    def further_rates(self, hit: Flags, confidence: float) -> Mapping[str, Interval]:
        """More intervals of the same share, by name; arguments and errors as :meth:`rate`."""
        del hit, confidence
        return {}

    def efficiency(self, hit: Flags) -> Efficiency | None:
        """How the sample fared beside a uniform one; None if that is not known of the design."""
        del hit
        return None
