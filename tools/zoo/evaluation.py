"""The list of the networks on which samplers are evaluated; too big, together, for `models/`."""

from __future__ import annotations

from zoo.mobile import MobileNet
from zoo.recipe import UNFOLDED, Recipe
from zoo.residual import DigitsCnn, ResNet20
from zoo.small import DIGITS, FASHION14
from zoo.train import Schedule

_VARIANTS = ("fp32", "fp16", "int8_qdq")

EVALUATION = (
    Recipe(
        "digits_cnn",
        DIGITS,
        DigitsCnn,
        Schedule(epochs=20, rate=1e-2, batch=64, samples=1_348),
        variants=_VARIANTS,
    ),
    Recipe(
        "resnet20_fashion",
        FASHION14,
        ResNet20,
        Schedule(epochs=8, rate=1e-2, flip=True),
        variants=(*_VARIANTS, UNFOLDED),
    ),
    Recipe(
        "mobilenet_fashion",
        FASHION14,
        MobileNet,
        Schedule(epochs=5, rate=1e-2, flip=True),
        variants=_VARIANTS,
    ),
)
