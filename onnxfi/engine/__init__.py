"""Engines: sessions, providers, the profile, golden runs, and carrying out scenarios."""

from onnxfi.engine._choose import EngineChoice, Scenarios, choose_engine
from onnxfi.engine._context import BatchResult, Engine, EngineContext, Injection
from onnxfi.engine._cpu import instruction_set, int8_arithmetic
from onnxfi.engine._deployed import check_replay, deployed
from onnxfi.engine._deviation import taken
from onnxfi.engine._golden import Golden, golden_run, joined, once
from onnxfi.engine._open import ENGINES, EngineKind, examine_engine, open_engine, side_by_side
from onnxfi.engine._patience import default_timeout
from onnxfi.engine._profile import Profile, profile
from onnxfi.engine._providers import available_providers
from onnxfi.engine._removed import RemovedTensor, removed_tensors, removed_values
from onnxfi.engine._samples import open_workload
from onnxfi.engine._session import RunFailedError, RunTimedOutError, Session
from onnxfi.engine._settings import DEFAULT_MEMORY_BYTES, EngineSettings, Graph, Optimization
from onnxfi.engine._tally import Tally, sample_outcomes
from onnxfi.engine._trace import OnTrace, Trace, TracedValue, trace
from onnxfi.engine._types import complete_types
from onnxfi.engine._version import runtime_version
from onnxfi.engine._watch import golden_statistics, layouts_of, measurable
from onnxfi.engine._watchdog import Watchdog
from onnxfi.engine._windows import windows

__all__ = [
    "DEFAULT_MEMORY_BYTES",
    "ENGINES",
    "BatchResult",
    "Engine",
    "EngineChoice",
    "EngineContext",
    "EngineKind",
    "EngineSettings",
    "Golden",
    "Graph",
    "Injection",
    "OnTrace",
    "Optimization",
    "Profile",
    "RemovedTensor",
    "RunFailedError",
    "RunTimedOutError",
    "Scenarios",
    "Session",
    "Tally",
    "Trace",
    "TracedValue",
    "Watchdog",
    "available_providers",
    "check_replay",
    "choose_engine",
    "complete_types",
    "default_timeout",
    "deployed",
    "examine_engine",
    "golden_run",
    "golden_statistics",
    "instruction_set",
    "int8_arithmetic",
    "joined",
    "layouts_of",
    "measurable",
    "once",
    "open_engine",
    "open_workload",
    "profile",
    "removed_tensors",
    "removed_values",
    "runtime_version",
    "sample_outcomes",
    "side_by_side",
    "taken",
    "trace",
    "windows",
]
