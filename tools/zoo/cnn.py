"""The two convolutional networks: LeNet-5 and ResNet-8 for 28 x 28 grey pictures."""

from __future__ import annotations

import copy

import torch
from torch import nn
from torch.nn.utils.fusion import fuse_conv_bn_eval


class LeNet5(nn.Module):
    """LeNet-5 with ReLU and max pooling; 61,706 parameters."""

    def __init__(self) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(1, 6, 5, padding=2)
        self.relu1 = nn.ReLU()
        self.pool1 = nn.MaxPool2d(2)
        self.conv2 = nn.Conv2d(6, 16, 5)
        self.relu2 = nn.ReLU()
        self.pool2 = nn.MaxPool2d(2)
        self.flatten = nn.Flatten()
        self.fc1 = nn.Linear(400, 120)
        self.relu3 = nn.ReLU()
        self.fc2 = nn.Linear(120, 84)
        self.relu4 = nn.ReLU()
        self.fc3 = nn.Linear(84, 10)

    def forward(self, image: torch.Tensor) -> torch.Tensor:
        """Map pictures to logits."""
        features = self.pool1(self.relu1(self.conv1(image)))
        features = self.pool2(self.relu2(self.conv2(features)))
        hidden = self.relu3(self.fc1(self.flatten(features)))
        return self.fc3(self.relu4(self.fc2(hidden)))


class Block(nn.Module):
    """A residual block: two 3 x 3 convolutions and a 1 x 1 shortcut where the shape changes."""

    def __init__(self, before: int, after: int) -> None:
        super().__init__()
        stride = 1 if before == after else 2
        self.conv1 = nn.Conv2d(before, after, 3, stride, padding=1, bias=False)
        self.bn1 = nn.BatchNorm2d(after)
        self.relu1 = nn.ReLU()
        self.conv2 = nn.Conv2d(after, after, 3, padding=1, bias=False)
        self.bn2 = nn.BatchNorm2d(after)
        self.shortcut: nn.Module = nn.Identity()
        if stride == 2:
            self.shortcut = nn.Conv2d(before, after, 1, stride)
        self.relu2 = nn.ReLU()

    def forward(self, features: torch.Tensor) -> torch.Tensor:
        """Apply the block."""
        branch = self.relu1(self.bn1(self.conv1(features)))
        return self.relu2(self.bn2(self.conv2(branch)) + self.shortcut(features))


class ResNet8(nn.Module):
    """A stem, three residual stages of one block each, a linear head; about 78,000 parameters."""

    def __init__(self) -> None:
        super().__init__()
        self.stem = nn.Conv2d(1, 16, 3, padding=1, bias=False)
        self.stem_bn = nn.BatchNorm2d(16)
        self.stem_relu = nn.ReLU()
        self.stage1 = Block(16, 16)
        self.stage2 = Block(16, 32)
        self.stage3 = Block(32, 64)
        self.pool = nn.AdaptiveAvgPool2d(1)
        self.flatten = nn.Flatten()
        self.head = nn.Linear(64, 10)

    def forward(self, image: torch.Tensor) -> torch.Tensor:
        """Map pictures to logits."""
        features = self.stem_relu(self.stem_bn(self.stem(image)))
        features = self.stage3(self.stage2(self.stage1(features)))
        return self.head(self.flatten(self.pool(features)))


def fold_batchnorm(network: nn.Module) -> nn.Module:
    """Return a copy of a trained network with every BatchNorm folded into its convolution.

    The exporter folds them as well, but then names the folded weights `onnx::Conv_45`; folding
    here keeps the module paths (`stage1.conv1.weight`) as initializer names.
    """
    folded = copy.deepcopy(network).eval()
    norms = [name for name, part in folded.named_modules() if isinstance(part, nn.BatchNorm2d)]
    for name in norms:
        conv = name.replace("_bn", "").replace("bn", "conv")
        fused = fuse_conv_bn_eval(folded.get_submodule(conv), folded.get_submodule(name))
        folded.set_submodule(conv, fused)
        folded.set_submodule(name, nn.Identity())
    return folded
