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
    digest = hashlib.sha256(f"{schedule}\n{network}".encode()).hexdigest()[:12]
    weights = cached.with_name(f"{cached.name}-{digest}.pt")
    if weights.exists():
        print(f"[{cached.name}] weights from {weights}", flush=True)
    else:
        _fit(network, schedule, data.first(schedule.samples), cached.name)
        torch.save(network.state_dict(), weights)
    # A fresh network, as a trained one still holds the membranes of its last batch.
    fresh = build()
    fresh.load_state_dict(torch.load(weights, weights_only=True))
    return fresh.eval()


def _fit(network: nn.Module, schedule: Schedule, data: Split, title: str) -> None:
    images, labels = torch.from_numpy(data.image), torch.from_numpy(data.label)
    optimizer = torch.optim.AdamW(network.parameters(), lr=schedule.rate, weight_decay=1e-3)
    steps = schedule.epochs * (len(labels) // schedule.batch)
    pace = torch.optim.lr_scheduler.OneCycleLR(optimizer, schedule.rate, total_steps=steps)
    network.train()
    start = time.perf_counter()
    for epoch in range(schedule.epochs):
        # The last, smaller batch is dropped: it would only add noise to BatchNorm.
        order = torch.randperm(len(labels))[: len(labels) // schedule.batch * schedule.batch]
        total = 0.0
        for rows in order.split(schedule.batch):
            total += _step(network, optimizer, _augment(images[rows], schedule), labels[rows])
            pace.step()
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
