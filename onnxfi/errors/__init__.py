"""Errors: one tree, rooted at :class:`OnnxFIError`.

In: nothing. Out: the classes that all rooms raise, so that callers catch what they can handle, and
the command line shows the text of any of them as one line.
"""

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
