"""Errors: one tree, rooted at :class:`OnnxFIError`."""

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
