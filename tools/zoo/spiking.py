"""Two convolutional spiking networks, unrolled over time: snntorch's and spikingjelly's LIF.

Both take the picture itself and turn it into a deterministic spike train inside the graph: a pixel
of value p fires in step t when floor(p * (t + 1)) exceeds floor(p * t), so round about p * T times.
Every step therefore sees another binary picture, and no step can be merged with another one.
"""

from __future__ import annotations

import snntorch
import torch
from snntorch import surrogate as snn_surrogate
from spikingjelly.activation_based import functional, neuron
from spikingjelly.activation_based import surrogate as jelly_surrogate
from torch import nn

STEPS = 8
"""Time steps of both networks."""


def _spikes(image: torch.Tensor, step: int) -> torch.Tensor:
    return torch.floor(image * float(step + 1)) - torch.floor(image * float(step))


class SnntorchNet(nn.Module):
    """Conv-LIF twice, then a linear readout averaged over time; soft reset (subtraction).

    The membranes are local tensors, not buffers, so the exporter sees a plain data flow.
    """

    def __init__(self) -> None:
        super().__init__()
        grad = snn_surrogate.fast_sigmoid(slope=10)
        self.conv1 = nn.Conv2d(1, 12, 5)
        self.pool1 = nn.MaxPool2d(2)
        self.lif1 = snntorch.Leaky(beta=0.9, threshold=1.0, spike_grad=grad)
        self.conv2 = nn.Conv2d(12, 24, 5)
        self.pool2 = nn.MaxPool2d(2)
        self.lif2 = snntorch.Leaky(beta=0.8, threshold=0.75, spike_grad=grad)
        self.flatten = nn.Flatten()
        self.readout = nn.Linear(384, 10)

    def forward(self, image: torch.Tensor) -> torch.Tensor:
        """Map pictures to logits: the readout's mean current over all steps."""
        total = image.new_zeros(1)
        membrane1 = membrane2 = None
        for step in range(STEPS):
            current1 = self.pool1(self.conv1(_spikes(image, step)))
            membrane1 = torch.zeros_like(current1) if membrane1 is None else membrane1
            spike1, membrane1 = self.lif1(current1, membrane1)
            current2 = self.pool2(self.conv2(spike1))
            membrane2 = torch.zeros_like(current2) if membrane2 is None else membrane2
            spike2, membrane2 = self.lif2(current2, membrane2)
            total = total + self.readout(self.flatten(spike2))
        return total / STEPS


class SpikingjellyNet(nn.Module):
    """The same layers with spikingjelly's single-step LIF neurons: hard reset to zero."""

    def __init__(self) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(1, 12, 5)
        self.pool1 = nn.MaxPool2d(2)
        self.lif1 = self._neuron()
        self.conv2 = nn.Conv2d(12, 24, 5)
        self.pool2 = nn.MaxPool2d(2)
        self.lif2 = self._neuron()
        self.flatten = nn.Flatten()
        self.readout = nn.Linear(384, 10)

    @staticmethod
    def _neuron() -> neuron.SimpleLIFNode:
        # LIFNode calls a fused custom operator; the plain variant is the one that exports cleanly.
        return neuron.SimpleLIFNode(
            tau=2.0, decay_input=False, detach_reset=True, surrogate_function=jelly_surrogate.ATan()
        )

    def forward(self, image: torch.Tensor) -> torch.Tensor:
        """Map pictures to logits: the readout's mean current over all steps."""
        functional.reset_net(self)
        total = image.new_zeros(1)
        for step in range(STEPS):
            spike1 = self.lif1(self.pool1(self.conv1(_spikes(image, step))))
            spike2 = self.lif2(self.pool2(self.conv2(spike1)))
            total = total + self.readout(self.flatten(spike2))
        return total / STEPS
