"""The registry of fault models, and how their texts are read."""

from __future__ import annotations

from collections.abc import Mapping

from onnxfi.errors import ConfigError
from onnxfi.faults.models._model import FaultModel, FaultModelPlugin
from onnxfi.faults.models._selection import Bits, BitSelection, select_bits
from onnxfi.faults.models._text import ModelText
from onnxfi.plugins import Registry

FAULT_MODELS: Registry[FaultModelPlugin] = Registry(
    "fault model",
    {
        "flip": "onnxfi.faults.models._flip:BitFlip",
        "stuck0": "onnxfi.faults.models._stuck:StuckAt",
        "stuck1": "onnxfi.faults.models._stuck:StuckAt",
        "set": "onnxfi.faults.models._set:SetValue",
        "burst": "onnxfi.faults.models._burst:Burst",
        "graph": "onnxfi.faults.models._graph:GraphFault",
    },
    group="onnxfi.fault_models",
)
"""Fault models by the name that their texts begin with."""


def parse_fault_model(
    text: str, bits: Bits | BitSelection = None, graphs: Mapping[str, bytes] | None = None
) -> FaultModel:
    """Read a fault model from text, the inverse of its ``spec()``.

    Args:
        text: A name and its options, separated by colons: ``flip``, ``flip:bits=30``,
            ``flip:count=2:bits=0-7,exponent``, ``stuck0``, ``stuck1:bits=sign``, ``set:0.5``,
            ``set:random``, ``burst:4``, ``burst:4:along=elements``, ``burst:along=-1``,
            ``burst:row``, ``burst:channel:effect=zero``, ``burst:tile=4x4``,
            ``graph:FILE.onnx``, ``graph:FILE.onnx:whole:scale=0.5``; or the name of a registered
            model and its options.
        bits: Choice of bits given apart from the text (``--bits``).
        graphs: Models that are faults, by the sha256 that stands for the file in texts of files.

    Raises:
        ConfigError: No such model, a wrong option, or bits given where they make no sense or
            given twice.
    """
    name, *parts = text.strip().split(":")
    if name == "custom":
        raise ConfigError(f"fault model {text!r} is a function; pass it as CustomFault from Python")
    given = ModelText(
        text=text,
        name=name,
        parts=tuple(parts),
        bits="" if bits is None else select_bits(bits).spec(),
        graphs=graphs or {},
    )
    return FAULT_MODELS.get(name, where=f"{text!r}" if parts else "").read(given)
