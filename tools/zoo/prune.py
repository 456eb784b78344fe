"""Magnitude pruning: sets the smallest weights to zero, training the others on meanwhile."""

from __future__ import annotations

import copy
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import nn

from zoo.data import Split
from zoo.train import Schedule, fit, kept

RAMP = 0.5
"""Part of the steps over which the pruned share rises; in the rest the zeros stay."""
EVERY = 25
"""Steps between two choices of what to prune."""


@dataclass(frozen=True)
class Pruning:
    """Which share of the weights becomes zero, and how the rest is trained on."""

    share: float
    schedule: Schedule

    def share_at(self, step: int) -> float:
        """The share to prune after `step` optimiser steps: a cubic rise, fast at first."""
        ramp = max(1, int(RAMP * self.schedule.steps))
        return self.share * (1 - (1 - min(1.0, step / ramp)) ** 3)


class _Masks:
    """Keeps the pruned weights of a network at zero while it is trained."""

    def __init__(self, network: nn.Module, pruning: Pruning) -> None:
        # Biases and BatchNorm are few and each serves a whole channel: they stay dense.
        self._weights = [
            part.weight for part in network.modules() if isinstance(part, nn.Conv2d | nn.Linear)
        ]
        self._keep = [torch.ones_like(weight, dtype=torch.bool) for weight in self._weights]
        self._pruning = pruning
        self._last = int(RAMP * pruning.schedule.steps)

    def after_step(self, step: int) -> None:
        """Choose anew while the share rises; zero what is pruned."""
        if step <= self._last and (step % EVERY == 0 or step == self._last):
            self._choose(self._pruning.share_at(step))
        with torch.no_grad():
            for weight, keep in zip(self._weights, self._keep, strict=True):
                weight.mul_(keep)

    def _choose(self, share: float) -> None:
        """Mark the smallest magnitudes of all tensors together; pruned ones stay so, being zero."""
        sizes = torch.cat([weight.detach().abs().flatten() for weight in self._weights])
        keep = torch.ones(len(sizes), dtype=torch.bool)
        keep[torch.argsort(sizes, stable=True)[: round(share * len(sizes))]] = False
        parts = keep.split([weight.numel() for weight in self._weights])
        shaped = zip(parts, self._weights, strict=True)
        self._keep = [part.reshape(weight.shape) for part, weight in shaped]


def pruned(
    build: Callable[[], nn.Module], dense: nn.Module, pruning: Pruning, data: Split, cached: Path
) -> nn.Module:
    """Return a pruned copy of a trained network; from the cache if it was made before."""

    def train() -> nn.Module:
        torch.manual_seed(pruning.schedule.seed)
        network = copy.deepcopy(dense)
        fit(network, pruning.schedule, data, cached.name, _Masks(network, pruning).after_step)
        return network

    return kept(train, build, f"{pruning}\n{RAMP} {EVERY}\n{dense}", cached)
