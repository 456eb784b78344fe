"""The table of engines. A new engine is one class in one file, and one line here."""

from __future__ import annotations

from typing import TYPE_CHECKING

from onnxfi.plugins import Registry

if TYPE_CHECKING:
    from onnxfi.engine.engines._base import EngineBase

ENGINES: Registry[EngineBase] = Registry(
    "engine",
    {
        "bake": "onnxfi.engine.engines._bake:BakeEngine",
        "lift": "onnxfi.engine.engines._lift:LiftEngine",
        "ports": "onnxfi.engine.engines.ports:PortsEngine",
        "cut": "onnxfi.engine.engines._cut:CutEngine",
    },
    group="onnxfi.engines",
)
