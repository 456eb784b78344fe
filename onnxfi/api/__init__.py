"""The public functions and the campaign front; ``import onnxfi as fi`` shows the same names."""

from onnxfi.analysis import DomainRow, DomainTable, Interval
from onnxfi.api._bake import bake
from onnxfi.api._campaign import Campaign
from onnxfi.api._sites import enumerate_sites
from onnxfi.campaign import CampaignSummary, Progress, RunSummary
from onnxfi.errors import (
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
from onnxfi.faults import (
    BitFlip,
    Burst,
    CustomFault,
    Fault,
    FaultGroup,
    FaultList,
    FaultSite,
    Scenario,
    SetValue,
    SiteKind,
    StuckAt,
    site_bits,
)
from onnxfi.faults import scenario_of as scenario
from onnxfi.outcome import Outcome, OutcomeCounts
from onnxfi.sampling import BitErrorRateSampler, ExhaustiveSampler, UniformSampler, sample_size

__all__ = [
    "BackendError",
    "BitErrorRateSampler",
    "BitFlip",
    "Burst",
    "Campaign",
    "CampaignError",
    "CampaignExistsError",
    "CampaignLockedError",
    "CampaignMismatchError",
    "CampaignSummary",
    "ConfigError",
    "CustomFault",
    "DomainRow",
    "DomainTable",
    "ExhaustiveSampler",
    "Fault",
    "FaultError",
    "FaultGroup",
    "FaultList",
    "FaultListError",
    "FaultSite",
    "GoldenError",
    "Interval",
    "MissingExtraError",
    "ModelError",
    "OnnxFIError",
    "Outcome",
    "OutcomeCounts",
    "Progress",
    "RewriteError",
    "RunSummary",
    "Scenario",
    "SetValue",
    "SiteKind",
    "StoreError",
    "StuckAt",
    "UniformSampler",
    "UnsupportedModelError",
    "WorkloadError",
    "bake",
    "enumerate_sites",
    "sample_size",
    "scenario",
    "site_bits",
]
