"""Fault-free runs; what every engine is given and gives back; how what it gives is counted.

In: a context (:class:`EngineContext`: model, workload, profile, settings, sites, criterion). Out:
golden outputs, proven to be reproducible (:class:`Golden`, :class:`GoldenSession`); monitored
values with the outputs (:class:`Watch`); from golden and faulty outputs of each run the outcomes of
a scenario (:class:`Tally`, :class:`Injection`).
"""

from onnxfi.engine.golden._context import BatchResult, Engine, EngineContext, Injection
from onnxfi.engine.golden._golden import (
    Feeds,
    Golden,
    GoldenSession,
    golden_room,
    golden_run,
    joined,
    once,
    twice,
)
from onnxfi.engine.golden._monitors import (
    Watch,
    golden_statistics,
    judged,
    layouts_of,
    measurable,
    samples_in_order,
    watching,
)
from onnxfi.engine.golden._observe import Observation, observe
from onnxfi.engine.golden._tally import Tally, sample_outcomes

__all__ = [
    "BatchResult",
    "Engine",
    "EngineContext",
    "Feeds",
    "Golden",
    "GoldenSession",
    "Injection",
    "Observation",
    "Tally",
    "Watch",
    "golden_room",
    "golden_run",
    "golden_statistics",
    "joined",
    "judged",
    "layouts_of",
    "measurable",
    "observe",
    "once",
    "sample_outcomes",
    "samples_in_order",
    "twice",
    "watching",
]
