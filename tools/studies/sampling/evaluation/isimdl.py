"""ISimDL's draws (arXiv 2303.08035), reproduced: layer, then neuron, then bit, with replacement.

P(f) = 1/L x [r/|T_l| + (1 - r) |S_i| / sum |S|] x B(b): L layers, r the share of neurons that are
drawn uniformly, S the sensitivities of neurons, B a bit weighting. Layers are the sites of the
fault space. The method has no estimate of the overall rate; the inverse-weighted one here
(Hansen and Hurwitz 1943) is what its draws would allow.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from evaluation.bitshares import Weighting, bit_shares
from evaluation.weighted import rate_of_draws
from onnxfi.errors import ConfigError
from onnxfi.faults import BitFlip, FaultSite, FaultSpace

Arrays = Mapping[str, NDArray[np.float64]]
"""A number for each bit: by site float64 (elements, width)."""

SHARES = (0.0, 0.1, 1.0)
"""Shares of uniformly drawn neurons: all by importance, the default of its code, none."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Setting:
    """One of its samplers.

    Attributes:
        weighting: How bits are drawn.
        uniform_share: r; with 1 neurons are drawn at random.
    """

    weighting: Weighting
    uniform_share: float

    @property
    def name(self) -> str:
        """Its own name, such as ``GBIN``, with r where it is neither 0 nor 1."""
        neuron = "R" if self.uniform_share == 1 else "I"
        share = f" r={self.uniform_share:g}" if 0 < self.uniform_share < 1 else ""
        return f"{self.weighting.value}B{neuron}N{share}"


def settings() -> tuple[Setting, ...]:
    """All of its samplers: four bit weightings, three shares."""
    return tuple(
        Setting(weighting=weighting, uniform_share=share)
        for weighting in Weighting
        for share in SHARES
    )


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Draws:
    """A distribution over the faults of a space, drawn from with replacement.

    Attributes:
        space: Single bit flips, all bits.
        probability: float64 (size,), of each fault number; sums to 1.
    """

    space: FaultSpace
    probability: NDArray[np.float64]

    def draw(self, n: int, rng: np.random.Generator) -> NDArray[np.int64]:
        """Fault numbers of n draws, int64 (n,)."""
        upto = np.cumsum(self.probability)
        found = np.searchsorted(upto, rng.random(n) * upto[-1], side="right")
        return found.astype(np.int64)

    def arrays(self) -> dict[str, NDArray[np.float64]]:
        """The probabilities as scores of sites, (elements, width) each."""
        return by_site(self.space, self.probability)

    def estimate(
        self, numbers: NDArray[np.int64], failed: NDArray[np.bool_]
    ) -> tuple[float, float]:
        """The failure rate of the space from draws, inverse-weighted, and its standard error.

        Unbiased only where every fault that can fail has a probability above 0.

        Args:
            numbers: int64 (n,), what was drawn, at least two.
            failed: (n,), whether each failed.
        """
        return rate_of_draws(failed, self.probability[numbers], self.space.size)


def isimdl(
    space: FaultSpace,
    setting: Setting,
    sensitivity: Arrays,
    values: Mapping[str, NDArray[np.number]],
) -> Draws:
    """One of its samplers on a fault space.

    Args:
        space: Single bit flips, all bits.
        setting: Which sampler.
        sensitivity: By site, of its elements, signed; not read where r is 1.
        values: By site, what the elements hold, for the gradient weighting: stored values;
            conductances for computed tensors.

    Raises:
        ConfigError: The space is another, or there is nothing for a site.
    """
    check_space(space)
    parts = []
    for site in space.sites:
        neurons = _neurons(site, setting.uniform_share, sensitivity)
        held = _of(values, site) if setting.weighting is Weighting.GRADIENT else neurons
        bits = bit_shares(setting.weighting, held, site.element)
        parts.append((neurons[:, None] * bits / len(space.sites)).reshape(-1))
    return Draws(space=space, probability=np.concatenate(parts))


def check_space(space: FaultSpace) -> None:
    """Refuse spaces of other faults than flips of any one bit.

    Raises:
        ConfigError: It is another space.
    """
    if space.models != (BitFlip(),):
        models = ", ".join(model.spec() for model in space.models)
        raise ConfigError(f"these samplers draw flips of any single bit, the space has {models}")


def by_site(space: FaultSpace, numbers: NDArray[np.float64]) -> dict[str, NDArray[np.float64]]:
    """A number a fault as a number a bit: views, by site (elements, width).

    Flips of single bits are numbered site by site, element by element, bit by bit.
    """
    ends = [segment.start for segment in space.segments[1:]] + [space.size]
    found = {}
    for segment, end in zip(space.segments, ends, strict=True):
        site = space.sites[segment.site]
        found[site.name] = numbers[segment.start : end].reshape(elements(site), -1)
    return found


def elements(site: FaultSite) -> int:
    """Elements of a site.

    Raises:
        ConfigError: Its shape is not known.
    """
    if site.layout is None:
        raise ConfigError(f"the shape of site {site.name!r} is not known; give a workload")
    return site.layout.elements


def _neurons(site: FaultSite, share: float, sensitivity: Arrays) -> NDArray[np.float64]:
    """The probability of each element of a layer."""
    count = elements(site)
    uniform = np.full(count, 1 / count)
    if share == 1:
        return uniform
    size = np.abs(_of(sensitivity, site).reshape(-1).astype(np.float64))
    total = size.sum()
    if not total:  # nothing to go by
        return uniform
    return share * uniform + (1 - share) * size / total


def _of(arrays: Mapping[str, NDArray[np.number]], site: FaultSite) -> NDArray[np.number]:
    if site.name not in arrays:
        raise ConfigError(f"there is no sensitivity of site {site.name!r}; compute it again")
    if arrays[site.name].size != elements(site):
        raise ConfigError(
            f"site {site.name!r} has {elements(site)} elements, its sensitivity has"
            f" {arrays[site.name].size}"
        )
    return arrays[site.name]
