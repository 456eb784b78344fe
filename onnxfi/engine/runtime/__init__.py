"""onnxruntime, one model at a time: providers, sessions, devices, and what ends a run.

In: a model and how it is to be run (:class:`EngineSettings`), then arrays by input name. Out:
arrays by output name, of every element type (:class:`Session`); or an error that says whether the
run failed, hung, or the machinery did. Here too: tensors kept on a device and patched there, state
over the steps of a sequence, time limits, what a run costs by its sizes, and a cache that knows how
much memory its items take. Nothing here knows of faults.
"""

from onnxfi.engine.runtime._bits import changed, same
from onnxfi.engine.runtime._cache import Cache, trim
from onnxfi.engine.runtime._cost import (
    multiply_accumulates,
    node_multiply_accumulates,
    run_seconds,
    session_seconds,
)
from onnxfi.engine.runtime._cpu import instruction_set, int8_arithmetic
from onnxfi.engine.runtime._device import (
    DeviceMemory,
    DeviceTensor,
    Feed,
    MemoryOf,
    StepFeed,
    Stepped,
    device_memory,
)
from onnxfi.engine.runtime._flipper import Flipper, Patch, open_flipper, works
from onnxfi.engine.runtime._onnxruntime import runtime_version
from onnxfi.engine.runtime._providers import (
    Provider,
    available_providers,
    check_providers,
    find_provider,
    load_libraries,
)
from onnxfi.engine.runtime._session import RunFailedError, RunTimedOutError, Session
from onnxfi.engine.runtime._settings import (
    DEFAULT_MEMORY_BYTES,
    EngineSettings,
    Graph,
    Optimization,
)
from onnxfi.engine.runtime._start import ModelRefusedError, save_optimized, share_arena
from onnxfi.engine.runtime._timeouts import Patience, Watchdog, default_timeout, shortened
from onnxfi.engine.runtime._types import complete_types

__all__ = [
    "DEFAULT_MEMORY_BYTES",
    "Cache",
    "DeviceMemory",
    "DeviceTensor",
    "EngineSettings",
    "Feed",
    "Flipper",
    "Graph",
    "MemoryOf",
    "ModelRefusedError",
    "Optimization",
    "Patch",
    "Patience",
    "Provider",
    "RunFailedError",
    "RunTimedOutError",
    "Session",
    "StepFeed",
    "Stepped",
    "Watchdog",
    "available_providers",
    "changed",
    "check_providers",
    "complete_types",
    "default_timeout",
    "device_memory",
    "find_provider",
    "instruction_set",
    "int8_arithmetic",
    "load_libraries",
    "multiply_accumulates",
    "node_multiply_accumulates",
    "open_flipper",
    "run_seconds",
    "runtime_version",
    "same",
    "save_optimized",
    "session_seconds",
    "share_arena",
    "shortened",
    "trim",
    "works",
]
