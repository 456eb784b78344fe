"""What is known of each network before it is measured: what it is, its data, what it must reach."""

from __future__ import annotations

from dataclasses import dataclass

from zoo.data import FASHION, MNIST, Dataset
from zoo.small import DIGITS, FASHION14


@dataclass(frozen=True)
class Network:
    """A network in words, the data it is for, and the share of test images it gets right at least.

    `least` holds for the files that are not pruned.
    """

    title: str
    dataset: Dataset
    least: float


NETWORKS = {
    "lenet5_mnist": Network("LeNet-5 with ReLU and max pooling", MNIST, 0.97),
    "resnet8_fashion": Network(
        "ResNet-8 (three residual stages), BatchNorm folded", FASHION, 0.885
    ),
    "snn_snntorch_mnist": Network(
        "convolutional spiking network, snntorch `Leaky`, soft reset, T = 8", MNIST, 0.93
    ),
    "snn_spikingjelly_mnist": Network(
        "convolutional spiking network, spikingjelly `SimpleLIFNode`, hard reset, T = 8",
        MNIST,
        0.93,
    ),
    "digits_cnn": Network(
        "residual network of three blocks and two linear layers, 8 x 8 pictures", DIGITS, 0.97
    ),
    "resnet20_fashion": Network(
        "ResNet-20 (three stages of three blocks), 14 x 14 pictures", FASHION14, 0.89
    ),
    "mobilenet_fashion": Network(
        "seven inverted residuals with depthwise convolutions and ReLU6, 14 x 14 pictures",
        FASHION14,
        0.87,
    ),
}
"""By the name that a network's files begin with."""


def network_of(stem: str) -> str:
    """The name of the network that a file belongs to, by the file's stem."""
    return next(name for name in NETWORKS if stem.startswith(name))
