"""Two residual networks for the evaluation of samplers: a small one for digits, and ResNet-20."""

from __future__ import annotations

import torch
from torch import nn

from zoo.cnn import Block


class DigitsCnn(nn.Module):
    """A stem, three residual blocks, two linear layers, for 8 x 8 pictures; 48,816 weights."""

    def __init__(self) -> None:
        super().__init__()
        self.stem = nn.Conv2d(1, 16, 3, padding=1, bias=False)
        self.stem_bn = nn.BatchNorm2d(16)
        self.stem_relu = nn.ReLU()
        self.stage1 = Block(16, 16)
        self.stage2 = Block(16, 24)
        self.stage3 = Block(24, 48)
        self.pool = nn.AdaptiveAvgPool2d(1)
        self.flatten = nn.Flatten()
        self.hidden = nn.Linear(48, 48)
        self.hidden_relu = nn.ReLU()
        self.head = nn.Linear(48, 10)

    def forward(self, image: torch.Tensor) -> torch.Tensor:
        """Map pictures to logits."""
        features = self.stem_relu(self.stem_bn(self.stem(image)))
        features = self.stage3(self.stage2(self.stage1(features)))
        return self.head(self.hidden_relu(self.hidden(self.flatten(self.pool(features)))))


class ResNet20(nn.Module):
    """ResNet-20: a stem, three stages of three blocks with 16, 32, 64 channels, a linear head.

    Shortcuts that change the shape are 1 x 1 convolutions; 272,090 parameters.
    """

    def __init__(self) -> None:
        super().__init__()
        self.stem = nn.Conv2d(1, 16, 3, padding=1, bias=False)
        self.stem_bn = nn.BatchNorm2d(16)
        self.stem_relu = nn.ReLU()
        self.stage1 = nn.Sequential(Block(16, 16), Block(16, 16), Block(16, 16))
        self.stage2 = nn.Sequential(Block(16, 32), Block(32, 32), Block(32, 32))
        self.stage3 = nn.Sequential(Block(32, 64), Block(64, 64), Block(64, 64))
        self.pool = nn.AdaptiveAvgPool2d(1)
        self.flatten = nn.Flatten()
        self.head = nn.Linear(64, 10)

    def forward(self, image: torch.Tensor) -> torch.Tensor:
        """Map pictures to logits."""
        features = self.stem_relu(self.stem_bn(self.stem(image)))
        features = self.stage3(self.stage2(self.stage1(features)))
        return self.head(self.flatten(self.pool(features)))
