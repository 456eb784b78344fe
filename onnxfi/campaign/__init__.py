"""Campaigns: what is run is planned, carried out, stored, resumed and summed up in a folder.

In: settings (:mod:`onnxfi.settings`), the user's own objects that no file can hold, and executors.
Out: a folder that holds all that was decided and every result, and summaries of it. Modules are
imported when one of their names is first used, so that reading results does not load what runs
them.
"""

from typing import TYPE_CHECKING

from onnxfi.plugins import lazy_exports

if TYPE_CHECKING:
    from onnxfi.campaign._blocks import (
        UnitSizer,
        default_block_size,
        finished_prefix,
        pending_in_order,
        site_keys,
    )
    from onnxfi.campaign._campaign import OpenCampaign, export_rows, open_campaign
    from onnxfi.campaign._create import InMemory, resume_or_create
    from onnxfi.campaign._dispatch import DEATHS, LOADS, run_suspects
    from onnxfi.campaign._document import CampaignDocument, Plan, RemovedEntry
    from onnxfi.campaign._experiment import CustomParts
    from onnxfi.campaign._goldenfile import GoldenFile
    from onnxfi.campaign._layout import named_monitors
    from onnxfi.campaign._memory import free_memory, worker_limit
    from onnxfi.campaign._notes import accuracy_text, doubt
    from onnxfi.campaign._pilot import pilot_rates, piloted
    from onnxfi.campaign._replay import Replay, ReplayOptions, replay
    from onnxfi.campaign._run import Progress, RunSummary, run_campaign
    from onnxfi.campaign._scenarios import sampler_of
    from onnxfi.campaign._sensitivity import Measured, measure_sensitivity
    from onnxfi.campaign._stop import StopRequest, stop_on_signals
    from onnxfi.campaign._store import ResultStore, create_store
    from onnxfi.campaign._subject import Subject, choose_graph, load_subject, open_subject
    from onnxfi.campaign._summary import CampaignSummary, summarize
    from onnxfi.campaign._worker import portions
    from onnxfi.campaign.executors import EXECUTORS
else:
    __getattr__ = lazy_exports(
        __name__,
        {
            "_blocks": [
                "UnitSizer",
                "default_block_size",
                "finished_prefix",
                "pending_in_order",
                "site_keys",
            ],
            "_campaign": ["OpenCampaign", "export_rows", "open_campaign"],
            "_create": ["InMemory", "resume_or_create"],
            "_dispatch": ["DEATHS", "LOADS", "run_suspects"],
            "_document": ["CampaignDocument", "Plan", "RemovedEntry"],
            "_experiment": ["CustomParts"],
            "_goldenfile": ["GoldenFile"],
            "_layout": ["named_monitors"],
            "_memory": ["free_memory", "worker_limit"],
            "_notes": ["accuracy_text", "doubt"],
            "_pilot": ["pilot_rates", "piloted"],
            "_replay": ["Replay", "ReplayOptions", "replay"],
            "_run": ["Progress", "RunSummary", "run_campaign"],
            "_scenarios": ["sampler_of"],
            "_sensitivity": ["Measured", "measure_sensitivity"],
            "_stop": ["StopRequest", "stop_on_signals"],
            "_store": ["ResultStore", "create_store"],
            "_subject": ["Subject", "choose_graph", "load_subject", "open_subject"],
            "_summary": ["CampaignSummary", "summarize"],
            "_worker": ["portions"],
            "executors": ["EXECUTORS"],
        },
    )

__all__ = [
    "DEATHS",
    "EXECUTORS",
    "LOADS",
    "CampaignDocument",
    "CampaignSummary",
    "CustomParts",
    "GoldenFile",
    "InMemory",
    "Measured",
    "OpenCampaign",
    "Plan",
    "Progress",
    "RemovedEntry",
    "Replay",
    "ReplayOptions",
    "ResultStore",
    "RunSummary",
    "StopRequest",
    "Subject",
    "UnitSizer",
    "accuracy_text",
    "choose_graph",
    "create_store",
    "default_block_size",
    "doubt",
    "export_rows",
    "finished_prefix",
    "free_memory",
    "load_subject",
    "measure_sensitivity",
    "named_monitors",
    "open_campaign",
    "open_subject",
    "pending_in_order",
    "pilot_rates",
    "piloted",
    "portions",
    "replay",
    "resume_or_create",
    "run_campaign",
    "run_suspects",
    "sampler_of",
    "site_keys",
    "stop_on_signals",
    "summarize",
    "worker_limit",
]
