"""Trains a network on a data split, deterministically, and keeps its weights in the cache."""

from __future__ import annotations

import hashlib
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import nn
from torch.nn import functional

from zoo.data import Split


@dataclass(frozen=True)
class Schedule:
    """How long and how fast to train; `seed` fixes initialisation, shuffling and flips."""

    epochs: int
    rate: float
    batch: int = 128
    samples: int = 60_000
    flip: bool = False
    seed: int = 20_240_917

    @property
    def steps(self) -> int:
        """Optimiser steps; the last, smaller batch of an epoch is dropped."""
        return self.epochs * (self.samples // self.batch)


def prepare_torch() -> None:
    """One thread and deterministic kernels, so that a rerun on one machine repeats the weights."""
    torch.set_num_threads(1)
    torch.use_deterministic_algorithms(True)


def trained(
    build: Callable[[], nn.Module], schedule: Schedule, data: Split, cached: Path
) -> nn.Module:
    """Return the trained network; its weights come from the cache if `cached` was trained before.

    The cached file is named after `cached` and a digest of the schedule and the architecture.
    """
    torch.manual_seed(schedule.seed)
    network = build()

    def train() -> nn.Module:
        fit(network, schedule, data, cached.name)
        return network

    return kept(train, build, f"{schedule}\n{network}", cached)


def kept(
    train: Callable[[], nn.Module], build: Callable[[], nn.Module], recipe: str, cached: Path
) -> nn.Module:
    """Return a fresh network with the weights that `recipe` led to before, or leads to now."""
    digest = hashlib.sha256(recipe.encode()).hexdigest()[:12]
    weights = cached.with_name(f"{cached.name}-{digest}.pt")
    if weights.exists():
        print(f"[{cached.name}] weights from {weights}", flush=True)
    else:
        torch.save(train().state_dict(), weights)
    # A fresh network, as a trained one still holds the membranes of its last batch.
    fresh = build()
    fresh.load_state_dict(torch.load(weights, weights_only=True))
    return fresh.eval()


def fit(
    network: nn.Module,
    schedule: Schedule,
    data: Split,
    title: str,
    after_step: Callable[[int], None] | None = None,
) -> None:
    """Train in place on the first `schedule.samples` samples; a hook is told each step's number."""
    data = data.first(schedule.samples)
    images, labels = torch.from_numpy(data.image), torch.from_numpy(data.label)
    optimizer = torch.optim.AdamW(network.parameters(), lr=schedule.rate, weight_decay=1e-3)
    pace = torch.optim.lr_scheduler.OneCycleLR(optimizer, schedule.rate, total_steps=schedule.steps)
    network.train()
    start, step = time.perf_counter(), 0
    for epoch in range(schedule.epochs):
        # The last, smaller batch is dropped: it would only add noise to BatchNorm.
        order = torch.randperm(len(labels))[: len(labels) // schedule.batch * schedule.batch]
        total = 0.0
        for rows in order.split(schedule.batch):
            total += _step(network, optimizer, _augment(images[rows], schedule), labels[rows])
            pace.step()
            step += 1
            if after_step is not None:
                after_step(step)
        mean = total * schedule.batch / len(order)
        spent = time.perf_counter() - start
        print(
            f"[{title}] epoch {epoch + 1}/{schedule.epochs}: loss {mean:.4f}, {spent:.0f} s",
            flush=True,
        )


def _step(
    network: nn.Module,
    optimizer: torch.optim.Optimizer,
    images: torch.Tensor,
    labels: torch.Tensor,
) -> float:
    optimizer.zero_grad(set_to_none=True)
    loss = functional.cross_entropy(network(images), labels)
    loss.backward()
    optimizer.step()
    return float(loss.detach())


def _augment(images: torch.Tensor, schedule: Schedule) -> torch.Tensor:
    if not schedule.flip:
        return images
    mirrored = torch.rand(len(images)) < 0.5
    return torch.where(mirrored[:, None, None, None], images.flip(3), images)
