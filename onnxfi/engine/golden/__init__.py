"""Fault-free runs; what every engine is given and gives back; how what it gives is counted.

In: a context (:class:`EngineContext`: model, workload, profile, settings, sites, criterion). Out:
golden outputs, proven to be reproducible (:class:`Golden`, :class:`Reference`); monitored values
beside the outputs (:class:`Watch`); from golden and faulty outputs of each run the outcomes of a
scenario (:class:`Tally`, :class:`Injection`).
"""

from onnxfi.engine.golden._context import BatchResult, Engine, EngineContext, Injection
from onnxfi.engine.golden._golden import (
    Feeds,
    Golden,
    Reference,
    golden_room,
    golden_run,
    joined,
    once,
    twice,
)
from onnxfi.engine.golden._observe import Observation, observe
from onnxfi.engine.golden._tally import Tally, sample_outcomes
from onnxfi.engine.golden._watch import (
    Watch,
    golden_statistics,
    judged,
    layouts_of,
    measurable,
    samples_in_order,
    watching,
)

__all__ = [
    "BatchResult",
    "Engine",
    "EngineContext",
    "Feeds",
    "Golden",
    "Injection",
    "Observation",
    "Reference",
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
