"""Errors: one tree, rooted at :class:`OnnxFIError`. A caller catches a class; its text says the rest."""

from onnxfi.errors._tree import (
    BackendError,
    CampaignError,
    CampaignExistsError,
    CampaignLockedError,
    CampaignMismatchError,
    ConfigError,
    FaultError,
    FaultListError,
    GoldenError,
    MissingExtraError,
    ModelError,
    OnnxFIError,
    RewriteError,
    StoreError,
    UnsupportedModelError,
    WorkloadError,
)

__all__ = [
    "BackendError",
    "CampaignError",
    "CampaignExistsError",
    "CampaignLockedError",
    "CampaignMismatchError",
    "ConfigError",
    "FaultError",
    "FaultListError",
    "GoldenError",
    "MissingExtraError",
    "ModelError",
    "OnnxFIError",
    "RewriteError",
    "StoreError",
    "UnsupportedModelError",
    "WorkloadError",
]
