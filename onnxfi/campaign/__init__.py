"""Campaigns: what is run is planned, carried out, stored, resumed and summed up in a folder.

In: settings (:mod:`onnxfi.settings`), the user's own objects that no file can hold, and executors.
Out: a folder that holds all that was decided and every result, and summaries of it. Modules are
imported when one of their names is first used, so that reading results does not load what runs
them.
"""

from typing import TYPE_CHECKING

from onnxfi.plugins import lazy_exports

if TYPE_CHECKING:
    from onnxfi.campaign._campaign import OpenCampaign, export_rows, open_campaign
    from onnxfi.campaign._create import InMemory, resume_or_create
    from onnxfi.campaign._document import CampaignDocument, Plan, RemovedEntry
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
    from onnxfi.campaign.executors import EXECUTORS
else:
    __getattr__ = lazy_exports(
        __name__,
        {
            "_campaign": ["OpenCampaign", "export_rows", "open_campaign"],
            "_create": ["InMemory", "resume_or_create"],
            "_document": ["CampaignDocument", "Plan", "RemovedEntry"],
            "_experiment": ["CustomParts"],
            "_notes": ["accuracy_text", "doubt"],
            "_pilot": ["pilot_rates", "piloted"],
            "_replay": ["Replay", "ReplayOptions", "replay"],
            "_run": ["Progress", "RunSummary", "run_campaign"],
            "_scenarios": ["sampler_of"],
            "_sensitivity": ["Measured", "measure_sensitivity"],
            "_stop": ["StopRequest", "stop_on_signals"],
            "_subject": ["Subject", "choose_graph", "load_subject", "open_subject"],
            "_summary": ["CampaignSummary", "summarize"],
            "executors": ["EXECUTORS"],
        },
    )

__all__ = [
    "EXECUTORS",
    "CampaignDocument",
    "CampaignSummary",
    "CustomParts",
    "InMemory",
    "Measured",
    "OpenCampaign",
    "Plan",
    "Progress",
    "RemovedEntry",
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
