"""Train a small classifier in PyTorch and export it with both of its exporters."""

from pathlib import Path

import numpy as np
import torch
from torch import nn

torch.manual_seed(1)
data = np.load("models/mnist_test1000.npz")
image, label = torch.from_numpy(data["image"]), torch.from_numpy(data["labels"])
train, test = slice(0, 800), slice(800, 1000)

network = nn.Sequential()
network.add_module("conv", nn.Conv2d(1, 8, 3, stride=2, padding=1))
network.add_module("norm", nn.BatchNorm2d(8))
network.add_module("relu", nn.ReLU())
network.add_module("flatten", nn.Flatten())
network.add_module("head", nn.Linear(8 * 14 * 14, 10))

optimizer = torch.optim.Adam(network.parameters(), lr=3e-3)
for _ in range(40):
    for rows in torch.randperm(800).split(100):
        optimizer.zero_grad()
        nn.functional.cross_entropy(network(image[rows]), label[rows]).backward()
        optimizer.step()
network.eval()
right = network(image[test]).argmax(1) == label[test]
print(f"{right.float().mean():.3f} of the test images are right")

folder = Path("runs/toolchains")
folder.mkdir(parents=True, exist_ok=True)
example = (image[:2],)
names = {"input_names": ["image"], "output_names": ["logits"]}
torch.onnx.export(network, example, folder / "torch.onnx", dynamic_shapes=({0: "batch"},), **names)
axes = {"image": {0: "batch"}, "logits": {0: "batch"}}
torch.onnx.export(
    network, example, folder / "torch_legacy.onnx", dynamo=False, dynamic_axes=axes, **names
)
np.savez(folder / "digits.npz", image=data["image"][test], labels=data["labels"][test])
