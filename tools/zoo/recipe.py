"""What a recipe is: a network, its data, its training and the files that are made of it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

from torch import nn

from zoo.data import Dataset
from zoo.train import Schedule

SPARSE_FROM = 67
"""Percent of zeros above which values with 8-byte indices take less room than all values."""
UNFOLDED = "bn_fp32"
"""The variant in float32 whose BatchNorm stays a node."""


@dataclass(frozen=True)
class Recipe:
    """One network. Those with `variants` give a file each, the others a single float32 file.

    `looped` ones have a second file with the time steps in a Loop.
    `pruned` has the schedules of its pruned variants by percent of weights that become zero.
    """

    name: str
    dataset: Dataset
    build: Callable[[], nn.Module]
    schedule: Schedule
    variants: tuple[str, ...] = ()
    pruned: dict[int, Schedule] = field(default_factory=dict)
    looped: bool = False

    @property
    def files(self) -> dict[str, str]:
        """The file stems this recipe makes, each with its variant."""
        if not self.variants:
            return {self.name: "fp32"} | ({f"{self.name}_loop": "loop"} if self.looped else {})
        plain = (*self.variants, *(f"pruned{percent}" for percent in self.pruned))
        sparse = [f"pruned{percent}_sparse" for percent in self.pruned if percent >= SPARSE_FROM]
        return {f"{self.name}_{variant}": variant for variant in (*plain, *sparse)}
