"""The list of what the zoo holds: each network, its data, its training and its files."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from torch import nn

from zoo.cnn import LeNet5, ResNet8
from zoo.data import FASHION, MNIST, Dataset
from zoo.quantize import VARIANTS
from zoo.spiking import SnntorchNet, SpikingjellyNet
from zoo.train import Schedule


@dataclass(frozen=True)
class Recipe:
    """One network. `quantized` ones give a file a variant, the others a single float32 file."""

    name: str
    dataset: Dataset
    build: Callable[[], nn.Module]
    schedule: Schedule
    quantized: bool

    @property
    def files(self) -> dict[str, str]:
        """The file stems this recipe makes, each with its variant."""
        if not self.quantized:
            return {self.name: "fp32"}
        return {f"{self.name}_{variant}": variant for variant in ("fp32", *VARIANTS)}


RECIPES = (
    Recipe("lenet5_mnist", MNIST, LeNet5, Schedule(epochs=5, rate=3e-3), quantized=True),
    Recipe(
        "resnet8_fashion",
        FASHION,
        ResNet8,
        Schedule(epochs=5, rate=1e-2, flip=True),
        quantized=True,
    ),
    Recipe(
        "snn_snntorch_mnist",
        MNIST,
        SnntorchNet,
        Schedule(epochs=2, rate=5e-3, samples=30_000),
        quantized=False,
    ),
    Recipe(
        "snn_spikingjelly_mnist",
        MNIST,
        SpikingjellyNet,
        Schedule(epochs=2, rate=5e-3, samples=30_000),
        quantized=False,
    ),
)
