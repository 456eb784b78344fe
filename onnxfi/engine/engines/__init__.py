"""TODO: what this package is for, what comes in, what goes out."""

from onnxfi.engine.engines._ability import Ability, Share, Survey, shared_out
from onnxfi.engine.engines._bake import BakeEngine
from onnxfi.engine.engines._base import EngineBase, results
from onnxfi.engine.engines._cut import CutEngine
from onnxfi.engine.engines._lift import LiftEngine, why_not
from onnxfi.engine.engines._open import (
    ENGINES,
    EngineKind,
    abilities,
    examine_engine,
    open_engine,
    side_by_side,
)

__all__ = [
    "ENGINES",
    "Ability",
    "BakeEngine",
    "CutEngine",
    "EngineBase",
    "EngineKind",
    "LiftEngine",
    "Share",
    "Survey",
    "abilities",
    "examine_engine",
    "open_engine",
    "results",
    "shared_out",
    "side_by_side",
    "why_not",
]
