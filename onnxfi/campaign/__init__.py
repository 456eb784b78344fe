"""Campaigns: plan, folder, identity, result store, blocks, running, resuming, summing up."""

from onnxfi.campaign._campaign import OpenCampaign, export_rows, open_campaign
from onnxfi.campaign._create import InMemory, resume_or_create
from onnxfi.campaign._document import CampaignDocument, Plan
from onnxfi.campaign._experiment import CustomParts
from onnxfi.campaign._notes import accuracy_text, doubt
from onnxfi.campaign._pilot import pilot_rates, piloted
from onnxfi.campaign._replay import Replay, ReplayOptions, replay
from onnxfi.campaign._run import Progress, RunSummary, run_campaign
from onnxfi.campaign._scenarios import sampler_of
from onnxfi.campaign._sensitivity import Measured, measure_sensitivity
from onnxfi.campaign._stop import StopRequest, stop_on_signals
from onnxfi.campaign._subject import Subject, choose_graph, load_subject, open_subject
from onnxfi.campaign._summary import CampaignSummary, summarize
from onnxfi.campaign.executors import ExecutorFactory

__all__ = [
    "CampaignDocument",
    "CampaignSummary",
    "CustomParts",
    "ExecutorFactory",
    "InMemory",
    "Measured",
    "OpenCampaign",
    "Plan",
    "Progress",
    "Replay",
    "ReplayOptions",
    "RunSummary",
    "StopRequest",
    "Subject",
    "accuracy_text",
    "choose_graph",
    "doubt",
    "export_rows",
    "load_subject",
    "measure_sensitivity",
    "open_campaign",
    "open_subject",
    "pilot_rates",
    "piloted",
    "replay",
    "resume_or_create",
    "run_campaign",
    "sampler_of",
    "stop_on_signals",
    "summarize",
]
