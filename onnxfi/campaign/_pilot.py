"""Expected rates of strata from an earlier campaign, by which scenarios are allotted to them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from onnxfi.analysis import observe
from onnxfi.campaign._campaign import OpenCampaign, open_campaign
from onnxfi.errors import CampaignMismatchError, ConfigError
from onnxfi.faults import FaultSpace
from onnxfi.sampling import SampledScenarios, expected_rates, strata


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Pilot:
    """A campaign with single faults from a sampler, read for what strata can be expected to do.

    Attributes:
        campaign: The campaign.
        space: What it drew from.
        numbers: int64 (n,), faults of its finished blocks.
        failed: bool (n,), whether each failed.
    """

    campaign: OpenCampaign
    space: FaultSpace
    numbers: NDArray[np.int64]
    failed: NDArray[np.bool_]

    @classmethod
    def read(cls, folder: str | Path) -> Pilot:
        """Read the finished blocks of a campaign.

        Raises:
            ConfigError: The campaign is of another kind, or has nothing finished.
            CampaignError: There is no campaign, or its files have changed.
        """
        campaign = open_campaign(Path(folder))
        used, source = campaign.used(), campaign.experiment().source
        numbers = source.fault_numbers(0, used) if isinstance(source, SampledScenarios) else None
        if numbers is None or not isinstance(source, SampledScenarios):
            raise ConfigError(
                f"{folder} can't be a pilot: that takes single faults drawn by sampler uniform,"
                " exhaustive or stratified"
            )
        if not used:
            raise ConfigError(
                f"{folder} can't be a pilot yet: no block of its scenarios is finished; run it"
                f" with `{campaign.folder.resume}`"
            )
        golden, drop = campaign.plan.golden_correct, campaign.settings.drop
        seen = observe(campaign.records(used), golden_correct=golden, drop=drop)
        return cls(campaign=campaign, space=source.space, numbers=numbers, failed=seen.failed)

    def rates(self, by: Sequence[str]) -> dict[str, float]:
        """Expected failure rates of the strata that are made by some facets."""
        return expected_rates(strata(self.space, by), self.numbers, self.failed)

    def check(self, model_sha256: str, space: FaultSpace | None) -> None:
        """Refuse to be the pilot of something else.

        Raises:
            CampaignMismatchError: The model, or the faults to choose from, are others.
        """
        same_model = self.campaign.document.identity_parts["model"] == model_sha256
        if not same_model or space is None or space.describe() != self.space.describe():
            raise CampaignMismatchError(
                f"the pilot {self.campaign.folder.path} is of"
                f" {'other faults' if same_model else 'another model'}; give one of the same"
                " model, sites and fault models"
            )

    def check_apart(self, seed: int) -> None:
        """Refuse to allot scenarios by what became of the same ones.

        Raises:
            ConfigError: The pilot has strata drawn by this seed.
        """
        drawn = self.campaign.settings.sampler
        if drawn.get("kind") == "stratified" and drawn.get("seed", 0) == seed:
            raise ConfigError(
                f"the pilot {self.campaign.folder.path} drew from strata with seed {seed}, too: the"
                " same faults would be run again, allotted by what came of them; choose another"
                " seed (--seed)"
            )


def pilot_rates(folder: str | Path, by: Sequence[str]) -> dict[str, float]:
    """Failure rates by stratum that the finished blocks of a campaign let expect.

    For :class:`StratifiedSampler`, whose seed must be another one than the campaign's: its
    scenarios must not be those that the allotment already knows.

    Args:
        folder: A campaign with single faults from sampler uniform, exhaustive or stratified.
        by: What faults of one stratum have in common.

    Raises:
        ConfigError: The campaign is of another kind, or has nothing finished.
        CampaignError: There is no campaign, or its files have changed.
    """
    return Pilot.read(folder).rates(by)


def piloted(recipe: Mapping[str, Any]) -> tuple[dict[str, Any], Pilot | None]:
    """A sampler's recipe with the rates of the pilot that it names.

    Args:
        recipe: As `sampler_of` takes it; ``pilot`` is the folder of an earlier campaign.

    Returns:
        The recipe, and the pilot if it has one whose rates it had not got before.

    Raises:
        ConfigError: Nothing follows from the pilot for the strata.
    """
    folder = recipe.get("pilot")
    if folder is None or recipe.get("rates") is not None:
        return dict(recipe), None
    pilot = Pilot.read(folder)
    pilot.check_apart(recipe.get("seed", 0))
    return {**recipe, "rates": pilot.rates(recipe.get("by", ("site",)))}, pilot
