"""Sensitivity as scores: what samplers ask for the likelihood that a fault fails."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType

import numpy as np
from numpy.typing import NDArray

from onnxfi.errors import ConfigError
from onnxfi.faults import Columns, FaultSite
from onnxfi.sensitivity.scores._pack import SiteScores, pack


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class SensitivityScores:
    """Gradient-free scores of all faults of some sites; one of the ``Scores`` of samplers.

    Attributes:
        sites: Scores by site.
        drop: What a failing scenario loses.
        digest: Hash of everything that decides the numbers, hex.
    """

    sites: Mapping[str, SiteScores]
    drop: float
    digest: str

    @classmethod
    def of_sites(cls, sites: Mapping[str, SiteScores], drop: float) -> SensitivityScores:
        """The scores, hashed."""
        return cls(sites=MappingProxyType(dict(sites)), drop=drop, digest=pack(sites, drop).digest)

    def of(self, site: FaultSite, columns: Columns, count: int) -> NDArray[np.float64]:
        """How likely faults on one site are to fail, 0..1; see ``Scores.of``.

        Raises:
            ConfigError: The site was not measured, or the faults are graphs.
        """
        if site.name not in self.sites:
            raise ConfigError(
                f"there are no scores for site {site.name!r}; measure it too, or leave it out"
            )
        if columns.graph is not None:
            raise ConfigError("faults that are graphs have no score; use scores of your own")
        likely = likelihood(self.sites[site.name].lost(columns), self.drop)
        if len(likely) == count:
            return likely
        found = np.zeros(count)
        np.maximum.at(found, columns.owner, likely)
        return found


def likelihood(lost: NDArray[np.float64], drop: float) -> NDArray[np.float64]:
    """How likely a scenario is to fail, by the share that it lost of the calibration samples.

    A step at the drop, much softened, because few samples stand for all, and one shift for
    many faults: as likely as not at the drop, and the odds are proportional to the share lost.
    """
    found: NDArray[np.float64] = lost / (lost + drop)
    return found
