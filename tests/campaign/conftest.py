"""Small real campaigns: LeNet-5 int8 on a few MNIST images."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from onnxfi.campaign import CustomParts, OpenCampaign, export_rows, resume_or_create
from onnxfi.settings import CampaignSettings

MODELS = Path(__file__).resolve().parents[2] / "models"


@pytest.fixture(scope="session")
def images(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Sixty labelled MNIST images."""
    path = tmp_path_factory.mktemp("workload") / "sixty.npz"
    with np.load(MODELS / "mnist_test1000.npz") as data:
        np.savez(path, image=data["image"][:60], labels=data["labels"][:60])
    return path


@pytest.fixture
def settings(images: Path) -> Callable[..., CampaignSettings]:
    """Settings of a short uniform campaign on LeNet-5 int8; keywords replace them."""

    def make(**changes: Any) -> CampaignSettings:
        chosen: dict[str, Any] = {
            "model": str(MODELS / "lenet5_mnist_int8_qdq.onnx"),
            "inputs": str(images),
            "sampler": {"kind": "uniform", "n": 60, "seed": 3},
            "targets": ("weight", "bias"),
            "block_size": 20,
        }
        return CampaignSettings(**(chosen | changes))

    return make


@pytest.fixture
def create(
    tmp_path: Path, settings: Callable[..., CampaignSettings]
) -> Callable[..., OpenCampaign]:
    """Make a campaign in a folder of the test."""

    def make(name: str = "c", custom: CustomParts | None = None, **changes: Any) -> OpenCampaign:
        return resume_or_create(tmp_path / name, settings(**changes), custom=custom)

    return make


@pytest.fixture(scope="session")
def rows_of() -> Callable[[OpenCampaign], list[dict[str, Any]]]:
    """Exported rows without what a repetition may change: times and the worker's name."""

    def rows(campaign: OpenCampaign) -> list[dict[str, Any]]:
        passing = ("run_s", "worker", "finished_at")
        return [
            {key: value for key, value in row.items() if key not in passing}
            for row in export_rows(campaign)
        ]

    return rows
