"""Bit errors that computed tensors suffer anew in every sample."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from onnxfi.errors import ConfigError
from onnxfi.faults import FaultGroup, FaultSpace, graphs_of, spread, untied
from onnxfi.sampling._bernoulli import bernoulli_positions
from onnxfi.sampling._random import Stream, generator


def bit_errors_per_sample(
    space: FaultSpace, ber: float, samples: int, seed: int, k: int
) -> tuple[FaultGroup, ...]:
    """Groups of scenario k, in the order of the sites.

    Stored tensors get the mask that they would get without redrawing per sample (of the stored
    faults alone), computed ones a fresh mask for each of ``samples`` samples.
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
        home = np.searchsorted(self.offsets, positions, side="right") - 1
        return self.starts[home] + (positions - self.offsets[home])


def _sampled_groups(
    space: FaultSpace,
    numbers: NDArray[np.int64],
    sample: NDArray[np.int64],
    rng: np.random.Generator,
) -> list[FaultGroup]:
    """Groups of faults that each hit one sample; models in order, then samples within a site."""
    found: dict[str, list[FaultGroup]] = {}
    starts = np.array([segment.start for segment in space.segments], np.int64)
    home = np.searchsorted(starts, numbers, side="right") - 1
    order = np.argsort(home, kind="stable")
    used, first = np.unique(home[order], return_index=True)
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
