"""The list of what the zoo holds: each network, its data, its training and its files."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

from torch import nn

from zoo.cnn import LeNet5, ResNet8
from zoo.data import FASHION, MNIST, Dataset
from zoo.quantize import VARIANTS
from zoo.spiking import SnntorchNet, SpikingjellyNet
from zoo.train import Schedule

SPARSE_FROM = 67
"""Percent of zeros above which values with 8-byte indices take less room than all values."""


@dataclass(frozen=True)
class Recipe:
    """One network. `quantized` ones give a file a variant, the others a single float32 file.

    `looped` ones have a second file with the time steps in a Loop.
    `pruned` has the schedules of its pruned variants by percent of weights that become zero.
    """

    name: str
    dataset: Dataset
    build: Callable[[], nn.Module]
    schedule: Schedule
    quantized: bool
    pruned: dict[int, Schedule] = field(default_factory=dict)
    looped: bool = False

    @property
    def files(self) -> dict[str, str]:
        """The file stems this recipe makes, each with its variant."""
        if not self.quantized:
            return {self.name: "fp32"} | ({f"{self.name}_loop": "loop"} if self.looped else {})
        plain = ("fp32", *VARIANTS, *(f"pruned{percent}" for percent in self.pruned))
        sparse = [f"pruned{percent}_sparse" for percent in self.pruned if percent >= SPARSE_FROM]
        return {f"{self.name}_{variant}": variant for variant in (*plain, *sparse)}


RECIPES = (
    Recipe(
        "lenet5_mnist",
        MNIST,
        LeNet5,
        Schedule(epochs=5, rate=3e-3),
        quantized=True,
        pruned={50: Schedule(epochs=3, rate=1e-3), 90: Schedule(epochs=5, rate=2e-3)},
    ),
    Recipe(
        "resnet8_fashion",
        FASHION,
        ResNet8,
        Schedule(epochs=5, rate=1e-2, flip=True),
        quantized=True,
        pruned={
            50: Schedule(epochs=3, rate=3e-3, flip=True),
            90: Schedule(epochs=6, rate=5e-3, flip=True),
        },
    ),
    Recipe(
        "snn_snntorch_mnist",
        MNIST,
        SnntorchNet,
        Schedule(epochs=2, rate=5e-3, samples=30_000),
        quantized=False,
        looped=True,
    ),
    Recipe(
        "snn_spikingjelly_mnist",
        MNIST,
        SpikingjellyNet,
        Schedule(epochs=2, rate=5e-3, samples=30_000),
        quantized=False,
    ),
)
