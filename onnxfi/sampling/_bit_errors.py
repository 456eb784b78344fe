"""Bit errors: which bits flip, each independently with the same probability."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from onnxfi.errors import ConfigError
from onnxfi.faults import FaultGroup, FaultSpace, graphs_of, spread, untied
from onnxfi.sampling._random import Stream, generator, raw_bits

_SERIES = 12  # terms of atanh that reach double precision at the largest argument used, 0.172
_LARGEST_DRAW = 2**27
_LARGEST_SIZE = 2**62


def bernoulli_positions(
    size: int, probability: float, seed: int, stream: int, k: int
) -> NDArray[np.int64]:
    """Positions of the successes in ``size`` independent trials, ascending.

    Trials are not visited: the gaps between successes are geometric, floor(E / -log(1 - p)) with E
    exponential, so the cost is that of the successes and no position can come twice. The number of
    successes is binomial without any approximation. The logarithm is computed here from additions,
    multiplications and divisions only, which IEEE 754 fixes to the last bit, so that the same seed
    gives the same positions with every numpy and on every processor.

    Args:
        size: Number of trials, up to 2^62.
        probability: Of a success, 0..1.
        seed: 0..2^64 - 1.
        stream: Which use of the seed.
        k: Which of the stream's sequences.

    Returns:
        int64 (successes,).

    Raises:
        ConfigError: More successes are expected than memory holds, or too many trials.
    """
    if probability <= 0 or size == 0:
        return np.zeros(0, np.int64)
    expected = size * probability
    if expected > _LARGEST_DRAW or size > _LARGEST_SIZE:
        raise ConfigError(
            f"a bit-error rate of {probability:g} over {size} bits means about {expected:.3g} "
            f"faults a scenario, at most {_LARGEST_DRAW} fit; lower the rate or choose fewer sites"
        )
    if probability >= 1:
        return np.arange(size, dtype=np.int64)
    rate = float(minus_log1m(np.array([probability]))[0])
    chunk = _chunk(expected)
    parts: list[NDArray[np.int64]] = []
    drawn, base = 0, 0
    while True:
        raw = raw_bits(seed, stream, drawn, chunk, k=k)
        positions, finished = _advance(raw, rate, base, size)
        parts.append(positions)
        if finished:
            return np.concatenate(parts)
        drawn += chunk
        base = int(positions[-1]) + 1


def _chunk(expected: float) -> int:
    """Words to draw at once: nearly always enough for the whole row."""
    return int(expected + 6 * math.sqrt(expected)) + 16


def _advance(
    raw: NDArray[np.uint64], rate: float, base: int, size: int
) -> tuple[NDArray[np.int64], bool]:
    """The next successes from ``base`` on, and whether they reach the end of the row."""
    # A gap beyond the largest float, or of a rate that vanishes, is beyond the end anyway.
    with np.errstate(over="ignore", divide="ignore"):
        gaps = np.floor(minus_log1m(open_uniforms(raw)) / rate)
    steps = np.minimum(gaps, 2.0 * size) + 1
    # Summed as floats first: many steps of 2^62 would overflow an integer.
    inside = int(np.searchsorted(np.cumsum(steps), size - base, side="right"))
    positions = base - 1 + np.cumsum(steps[:inside].astype(np.int64))
    return positions[positions < size], inside < len(raw)


def open_uniforms(raw: NDArray[np.uint64]) -> NDArray[np.float64]:
    """Uniform in (0, 1), as fine as 2^-64 near zero."""
    values = (raw.astype(np.float64) + 0.5) * 2.0**-64
    return np.minimum(values, 1 - 2.0**-53)


def minus_log1m(value: NDArray[np.float64]) -> NDArray[np.float64]:
    """-log(1 - value) for 0 < value < 1, by 2 atanh((1 - u) / (1 + u)) with u in [0.70, 1.42]."""
    small = value < 0.25
    mantissa, exponent = np.frexp(1 - value)
    low = mantissa < math.sqrt(0.5)
    mantissa = np.where(low, 2 * mantissa, mantissa)
    exponent = np.where(low, exponent - 1, exponent)
    # Below 0.25, 1 - value is never formed: it would lose the digits of small probabilities.
    ratio = np.where(small, value / (2 - value), (1 - mantissa) / (1 + mantissa))
    square = ratio * ratio
    series = np.full_like(ratio, 1 / (2 * _SERIES - 1))
    for term in range(_SERIES - 1, 0, -1):
        series = series * square + 1 / (2 * term - 1)
    return 2 * ratio * series - np.where(small, 0, exponent) * math.log(2)


def bit_errors_per_sample(
    space: FaultSpace, ber: float, samples: int, seed: int, k: int
) -> tuple[FaultGroup, ...]:
    """Groups of scenario k, in the order of the sites.

    Computed tensors suffer bit errors anew in each of ``samples`` samples. Stored tensors get the
    mask that they would get without redrawing per sample, of the stored faults alone.
    """
    if graphs_of(space.models):
        raise ConfigError(
            "a fault graph is there in every sample; --ber-per-sample needs faults that can be in "
            "one, such as flips"
        )
    stored, computed = _Part.of(space, stored=True), _Part.of(space, stored=False)
    once = bernoulli_positions(stored.size, ber, seed, Stream.BIT_ERRORS, k)
    rng = generator(seed, Stream.VALUES, k)
    groups = list(space.scenario_groups(stored.numbers(once), rng))
    often = bernoulli_positions(computed.size * samples, ber, seed, Stream.SAMPLE_BIT_ERRORS, k)
    if len(often):
        sample, position = np.divmod(often, computed.size)
        groups += _sampled_groups(space, computed.numbers(position), sample, rng)
    order = {site.name: place for place, site in enumerate(untied(space.sites))}
    return tuple(sorted(groups, key=lambda group: order[group.site]))


@dataclass(frozen=True, slots=True, eq=False)
class _Part:
    """The faults on stored or on computed sites, numbered without gaps."""

    starts: NDArray[np.int64]
    offsets: NDArray[np.int64]
    size: int

    @classmethod
    def of(cls, space: FaultSpace, *, stored: bool) -> _Part:
        stops = [*(segment.start for segment in space.segments[1:]), space.size]
        ranges = [
            (segment.start, stop)
            for segment, stop in zip(space.segments, stops, strict=True)
            if space.sites[segment.site].kind.stored is stored
        ]
        counts = np.array([stop - start for start, stop in ranges], np.int64)
        ends = np.cumsum(counts)
        starts = np.array([start for start, _ in ranges], np.int64)
        return cls(starts, ends - counts, sum(stop - start for start, stop in ranges))

    def numbers(self, positions: NDArray[np.int64]) -> NDArray[np.int64]:
        """Fault numbers of positions among this part's faults."""
        segment_of = np.searchsorted(self.offsets, positions, side="right") - 1
        return self.starts[segment_of] + (positions - self.offsets[segment_of])


def _sampled_groups(
    space: FaultSpace,
    numbers: NDArray[np.int64],
    sample: NDArray[np.int64],
    rng: np.random.Generator,
) -> list[FaultGroup]:
    """Groups of faults that each hit one sample; models in order, then samples within a site."""
    found: dict[str, list[FaultGroup]] = {}
    starts = np.array([segment.start for segment in space.segments], np.int64)
    segment_of = np.searchsorted(starts, numbers, side="right") - 1
    order = np.argsort(segment_of, kind="stable")
    used, first = np.unique(segment_of[order], return_index=True)
    for which, where in zip(used.tolist(), np.split(order, first[1:]), strict=True):
        segment = space.segments[which]
        site = space.sites[segment.site]
        model = space.models[segment.model]
        columns = model.columns(site, numbers[where] - segment.start, rng)
        group = FaultGroup(
            site=site.name,
            index=columns.index,
            and_mask=columns.and_mask,
            xor_mask=columns.xor_mask,
            sample=sample[where][columns.owner],
        )
        found.setdefault(site.name, []).append(group)
    sites = {site.name: site for site in space.sites}
    return [group for name, parts in found.items() for group in spread(sites[name], _joined(parts))]


def _joined(parts: list[FaultGroup]) -> FaultGroup:
    if len(parts) == 1:
        return parts[0]
    return FaultGroup(
        site=parts[0].site,
        index=np.concatenate([part.index for part in parts]),
        and_mask=np.concatenate([part.and_mask for part in parts]),
        xor_mask=np.concatenate([part.xor_mask for part in parts]),
        sample=np.concatenate([part.sample for part in parts if part.sample is not None]),
    )
