"""The engines: each carries scenarios of faults out over a workload, in its own way.

An engine is one class in one file, and one line in the table ``ENGINES``. The class says what it is
called, what it can and can't do, and what a scenario costs in it (:class:`EngineKind`); it brings
how a scenario is armed, and shares the rest with the others (:class:`EngineBase`).

In: a context (model, workload, profile, settings, sites, criterion) and scenarios. Out: counts of
outcomes a scenario, and which graph it ran in and why; or the outputs of each run. Packages are
imported when one of their names is used, so that the table alone costs nothing.
"""

from typing import TYPE_CHECKING

from onnxfi.plugins import lazy_exports

if TYPE_CHECKING:
    from onnxfi.engine.engines._bake import BakeEngine
    from onnxfi.engine.engines._base import Armed, EngineBase, results
    from onnxfi.engine.engines._cut import CutEngine
    from onnxfi.engine.engines._estimate import Estimate, share_behind, stored_bits
    from onnxfi.engine.engines._kind import (
        EngineKind,
        Scenarios,
        Share,
        Survey,
        in_one_step,
        shared_out,
    )
    from onnxfi.engine.engines._lift import LiftEngine
    from onnxfi.engine.engines._open import examine_engine, open_engine, refusals, side_by_side
    from onnxfi.engine.engines._registry import ENGINES
    from onnxfi.engine.engines.ports import PortsEngine

__all__ = [
    "ENGINES",
    "Armed",
    "BakeEngine",
    "CutEngine",
    "EngineBase",
    "EngineKind",
    "Estimate",
    "LiftEngine",
    "PortsEngine",
    "Scenarios",
    "Share",
    "Survey",
    "examine_engine",
    "in_one_step",
    "open_engine",
    "refusals",
    "results",
    "share_behind",
    "shared_out",
    "side_by_side",
    "stored_bits",
]

__getattr__ = lazy_exports(
    __name__,
    {
        "_registry": ("ENGINES",),
        "_kind": (
            "EngineKind",
            "Scenarios",
            "Share",
            "Survey",
            "in_one_step",
            "shared_out",
        ),
        "_estimate": (
            "Estimate",
            "share_behind",
            "stored_bits",
        ),
        "_base": (
            "Armed",
            "EngineBase",
            "results",
        ),
        "_bake": ("BakeEngine",),
        "_cut": ("CutEngine",),
        "_lift": ("LiftEngine",),
        "ports": ("PortsEngine",),
        "_open": (
            "examine_engine",
            "open_engine",
            "refusals",
            "side_by_side",
        ),
    },
)
