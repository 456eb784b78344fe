"""A small network of inverted residuals: depthwise convolutions and ReLU6, as in MobileNet-v2."""

from __future__ import annotations

import torch
from torch import nn

EXPANSION = 4
"""Channels inside an inverted residual over those before it."""


class Inverted(nn.Module):
    """Expand by 1 x 1, filter each channel by 3 x 3, project by 1 x 1 without an activation.

    The input is added where the shape stays; the shape changes by `stride` and channels.
    """

    def __init__(self, before: int, after: int, stride: int = 1) -> None:
        super().__init__()
        inside = before * EXPANSION
        self.expand = nn.Conv2d(before, inside, 1, bias=False)
        self.expand_bn = nn.BatchNorm2d(inside)
        self.expand_relu6 = nn.ReLU6()
        self.depthwise = nn.Conv2d(inside, inside, 3, stride, padding=1, groups=inside, bias=False)
        self.depthwise_bn = nn.BatchNorm2d(inside)
        self.depthwise_relu6 = nn.ReLU6()
        self.project = nn.Conv2d(inside, after, 1, bias=False)
        self.project_bn = nn.BatchNorm2d(after)
        self.adds = stride == 1 and before == after

    def forward(self, features: torch.Tensor) -> torch.Tensor:
        """Apply the block."""
        branch = self.expand_relu6(self.expand_bn(self.expand(features)))
        branch = self.depthwise_relu6(self.depthwise_bn(self.depthwise(branch)))
        branch = self.project_bn(self.project(branch))
        return features + branch if self.adds else branch


class MobileNet(nn.Module):
    """A stem, seven inverted residuals, a 1 x 1 convolution, a linear head; 70,000 parameters."""

    def __init__(self) -> None:
        super().__init__()
        self.stem = nn.Conv2d(1, 16, 3, padding=1, bias=False)
        self.stem_bn = nn.BatchNorm2d(16)
        self.stem_relu6 = nn.ReLU6()
        self.stage1 = Inverted(16, 16)
        self.stage2 = nn.Sequential(Inverted(16, 24, stride=2), Inverted(24, 24))
        self.stage3 = nn.Sequential(Inverted(24, 32, stride=2), Inverted(32, 32))
        self.stage4 = nn.Sequential(Inverted(32, 48), Inverted(48, 48))
        self.last = nn.Conv2d(48, 128, 1, bias=False)
        self.last_bn = nn.BatchNorm2d(128)
        self.last_relu6 = nn.ReLU6()
        self.pool = nn.AdaptiveAvgPool2d(1)
        self.flatten = nn.Flatten()
        self.head = nn.Linear(128, 10)

    def forward(self, image: torch.Tensor) -> torch.Tensor:
        """Map pictures to logits."""
        features = self.stem_relu6(self.stem_bn(self.stem(image)))
        features = self.stage4(self.stage3(self.stage2(self.stage1(features))))
        return self.head(
            self.flatten(self.pool(self.last_relu6(self.last_bn(self.last(features)))))
        )
