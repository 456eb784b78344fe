"""TODO: what this package is for, what comes in, what goes out."""

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
