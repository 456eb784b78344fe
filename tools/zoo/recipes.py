"""The list of what the zoo holds: each network, its data, its training and its files."""

from __future__ import annotations

from zoo.cnn import LeNet5, ResNet8
from zoo.data import FASHION, MNIST
from zoo.quantize import VARIANTS
from zoo.recipe import Recipe
from zoo.spiking import SnntorchNet, SpikingjellyNet
from zoo.train import Schedule

_VARIANTS = ("fp32", *VARIANTS)

RECIPES = (
    Recipe(
        "lenet5_mnist",
        MNIST,
        LeNet5,
        Schedule(epochs=5, rate=3e-3),
        variants=_VARIANTS,
        pruned={50: Schedule(epochs=3, rate=1e-3), 90: Schedule(epochs=5, rate=2e-3)},
    ),
    Recipe(
        "resnet8_fashion",
        FASHION,
        ResNet8,
        Schedule(epochs=5, rate=1e-2, flip=True),
        variants=_VARIANTS,
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
        looped=True,
    ),
    Recipe(
        "snn_spikingjelly_mnist",
        MNIST,
        SpikingjellyNet,
        Schedule(epochs=2, rate=5e-3, samples=30_000),
    ),
)
