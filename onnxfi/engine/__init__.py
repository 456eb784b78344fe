"""Models run on onnxruntime, fault-free and faulty. No other room imports it.

Its floors, from the bottom: ``runtime`` (sessions and providers), ``study`` (what a sample is, what
shapes values have), ``golden`` (fault-free outputs), ``executable`` (the graph that onnxruntime
makes of the file, and where the file's tensors lie in it), ``cut`` (that graph in parts, of which a
fault runs those that it reaches), ``engines`` (the ways to carry out a scenario); on top of them,
the choice of an engine, and traces.

In: a model, a workload, settings, sites, scenarios. Out: the profile, golden outputs, counts of
outcomes a scenario. It knows nothing of statistics, campaigns and their files. Modules are imported
when one of their names is used, so that the names of engines are known without onnxruntime.
"""

from typing import TYPE_CHECKING

from onnxfi.plugins import lazy_exports

if TYPE_CHECKING:
    from onnxfi.engine._choose import EngineChoice, choose_engine
    from onnxfi.engine._trace import OnTrace, Trace, TracedValue, trace
    from onnxfi.engine.cut import samples_of
    from onnxfi.engine.engines import (
        ENGINES,
        EngineBase,
        EngineKind,
        Scenarios,
        examine_engine,
        open_engine,
        side_by_side,
    )
    from onnxfi.engine.executable import (
        RemovedTensor,
        check_replay,
        deployed,
        removed_tensors,
        removed_values,
    )
    from onnxfi.engine.golden import (
        BatchResult,
        Engine,
        EngineContext,
        Golden,
        Injection,
        Tally,
        golden_run,
        golden_statistics,
        joined,
        layouts_of,
        measurable,
        once,
        sample_outcomes,
    )
    from onnxfi.engine.runtime import (
        DEFAULT_MEMORY_BYTES,
        EngineSettings,
        Graph,
        Optimization,
        RunFailedError,
        RunTimedOutError,
        Session,
        Watchdog,
        available_providers,
        complete_types,
        default_timeout,
        instruction_set,
        int8_arithmetic,
        runtime_version,
    )
    from onnxfi.engine.study import Profile, freed_differs, open_workload, profile, windows

__all__ = [
    "DEFAULT_MEMORY_BYTES",
    "ENGINES",
    "BatchResult",
    "Engine",
    "EngineBase",
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
    "freed_differs",
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
    "samples_of",
    "side_by_side",
    "trace",
    "windows",
]

__getattr__ = lazy_exports(
    __name__,
    {
        "_choose": (
            "EngineChoice",
            "choose_engine",
        ),
        "_trace": (
            "OnTrace",
            "Trace",
            "TracedValue",
            "trace",
        ),
        "cut": ("samples_of",),
        "engines": (
            "ENGINES",
            "EngineBase",
            "EngineKind",
            "Scenarios",
            "examine_engine",
            "open_engine",
            "side_by_side",
        ),
        "executable": (
            "RemovedTensor",
            "check_replay",
            "deployed",
            "removed_tensors",
            "removed_values",
        ),
        "golden": (
            "BatchResult",
            "Engine",
            "EngineContext",
            "Golden",
            "Injection",
            "Tally",
            "golden_run",
            "golden_statistics",
            "joined",
            "layouts_of",
            "measurable",
            "once",
            "sample_outcomes",
        ),
        "runtime": (
            "DEFAULT_MEMORY_BYTES",
            "EngineSettings",
            "Graph",
            "Optimization",
            "RunFailedError",
            "RunTimedOutError",
            "Session",
            "Watchdog",
            "available_providers",
            "complete_types",
            "default_timeout",
            "instruction_set",
            "int8_arithmetic",
            "runtime_version",
        ),
        "study": (
            "Profile",
            "freed_differs",
            "open_workload",
            "profile",
            "windows",
        ),
    },
)
