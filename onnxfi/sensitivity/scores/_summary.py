"""What scores expect of a fault space: which sites, bits and channels the failures are in."""

from __future__ import annotations

import heapq
import itertools
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from onnxfi.faults import Columns, FaultSite, FaultSpace, Stretch, bit_key, site_bits, touched
from onnxfi.sensitivity.scores._pack import SiteScores
from onnxfi.sensitivity.scores._response import Axis
from onnxfi.sensitivity.scores._scores import SensitivityScores
from onnxfi.sensitivity.scores._sites import ComputedScores, StoredScores

_TOGETHER = 1 << 16  # faults scored at once
_BITS = 64
SHOWN_CHANNELS = 10


@dataclass(frozen=True, slots=True, kw_only=True)
class ExpectedRow:
    """What is expected of a part of a fault space.

    Attributes:
        key: The site, the bit, or the channel's index.
        site: The site that it is in; empty where it is in several.
        elements: Elements of it (of one sample for computed tensors).
        bits: Stored bits of it.
        faults: Single faults in it.
        failures: Sum of their likelihoods.
    """

    key: str
    site: str
    elements: int
    bits: int
    faults: int
    failures: float

    @property
    def rate(self) -> float:
        """Expected failure rate under uniform choice; 0 where no fault is."""
        return self.failures / self.faults if self.faults else 0.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Expected:
    """What scores expect of a fault space. An expectation, not a measurement.

    Attributes:
        faults: Single faults of the space.
        failures: Sum of their likelihoods.
        sites: By site, in the order of the space.
        bits: By bit, of the faults that are about exactly one.
        channels: The channels with most failures, falling; of sites that are divided into
            channels.
    """

    faults: int
    failures: float
    sites: tuple[ExpectedRow, ...]
    bits: tuple[ExpectedRow, ...]
    channels: tuple[ExpectedRow, ...]

    @property
    def rate(self) -> float:
        """Expected failure rate under uniform choice."""
        return self.failures / self.faults if self.faults else 0.0

    def share(self, row: ExpectedRow) -> float:
        """Part of all expected failures that a row has, 0..1."""
        return row.failures / self.failures if self.failures else 0.0


def expect(
    space: FaultSpace,
    scores: SensitivityScores,
    channels: int = SHOWN_CHANNELS,
    on_progress: Callable[[int, int], None] | None = None,
) -> Expected:
    """Add up scores over a fault space, in one pass and little memory.

    Args:
        space: What can be hit.
        scores: Of all its sites.
        channels: How many channels to tell of.
        on_progress: Called with the faults done and the faults there are, now and then.

    Raises:
        ConfigError: A site has no scores, or a fault model is random.
    """
    sums = {site.name: _Sums(site, scores.sites.get(site.name)) for site in space.sites}
    for begin in range(0, space.size, _TOGETHER):
        end = min(begin + _TOGETHER, space.size)
        for part in space.stretches(begin, end):
            likely = scores.of(part.site, part.columns, part.stop - part.start)
            sums[part.site.name].add(part, likely)
        if on_progress is not None:
            on_progress(end, space.size)
    found = list(sums.values())
    ranked = itertools.chain.from_iterable(each.channel_rows() for each in found)
    return Expected(
        faults=space.size,
        failures=sum(float(each.bit_failures.sum()) for each in found),
        sites=tuple(each.row() for each in found),
        bits=tuple(_bit_rows(found)),
        channels=tuple(heapq.nlargest(channels, ranked, key=lambda row: row.failures)),
    )


class _Sums:
    """Sums of one site."""

    def __init__(self, site: FaultSite, scores: SiteScores | None) -> None:
        self.site = site
        self.axis = None if scores is None else _axis(scores)
        count = 1 if self.axis is None else self.axis.size
        # The last bit is for faults that are about none or several.
        self.bit_failures, self.bit_faults = np.zeros(_BITS + 1), np.zeros(_BITS + 1, np.int64)
        self.failures, self.faults = np.zeros(count), np.zeros(count, np.int64)

    def add(self, part: Stretch, likely: NDArray[np.float64]) -> None:
        """Take in consecutive faults."""
        bit = touched(part.columns, len(likely), self.site.element).bit
        self.bit_failures += np.bincount(bit % (_BITS + 1), likely, _BITS + 1)
        self.bit_faults += np.bincount(bit % (_BITS + 1), minlength=_BITS + 1)
        if self.axis is not None:
            channel = self.axis.of(_first(part.columns, len(likely)))
            self.failures += np.bincount(channel, likely, len(self.failures))
            self.faults += np.bincount(channel, minlength=len(self.faults))

    def row(self) -> ExpectedRow:
        """The site as a whole."""
        return ExpectedRow(
            key=self.site.name,
            site=self.site.name,
            elements=self._elements,
            bits=site_bits(self.site),
            faults=int(self.bit_faults.sum()),
            failures=float(self.bit_failures.sum()),
        )

    def channel_rows(self) -> Iterator[ExpectedRow]:
        """Its channels, if it is divided."""
        parts = len(self.failures)
        if parts == 1:
            return
        for channel in range(parts):
            yield ExpectedRow(
                key=str(channel),
                site=self.site.name,
                elements=self._elements // parts,
                bits=site_bits(self.site) // parts,
                faults=int(self.faults[channel]),
                failures=float(self.failures[channel]),
            )

    @property
    def _elements(self) -> int:
        return 0 if self.site.layout is None else self.site.layout.elements


def _axis(scores: SiteScores) -> Axis | None:
    """The axis that is divided into channels; None where nothing is known of any."""
    if isinstance(scores, StoredScores):
        return scores.gain.out
    return scores.axis if isinstance(scores, ComputedScores) else None


def _first(columns: Columns, count: int) -> NDArray[np.int64]:
    """The element at which each fault begins."""
    if len(columns.index) == count:
        return columns.index
    return columns.index[np.searchsorted(columns.owner, np.arange(count))]


def _bit_rows(found: Sequence[_Sums]) -> Iterator[ExpectedRow]:
    """Rows by bit, least significant first, types in the order of the sites."""
    elements = list(dict.fromkeys(each.site.element for each in found))
    for element in elements:
        of_type = [each for each in found if each.site.element is element]
        for bit in range(_BITS):
            hit = [each for each in of_type if each.bit_faults[bit]]
            if hit:
                count = sum(0 if s.site.layout is None else s.site.layout.elements for s in hit)
                yield ExpectedRow(
                    key=bit_key(bit, element, elements),
                    site="",
                    elements=count,
                    bits=count,
                    faults=sum(int(each.bit_faults[bit]) for each in hit),
                    failures=sum(float(each.bit_failures[bit]) for each in hit),
                )
