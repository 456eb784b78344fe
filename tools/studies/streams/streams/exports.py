"""The five exports of silero-vad's 16 kHz network, and how each is fed."""

from __future__ import annotations

import importlib.metadata
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from types import MappingProxyType
from typing import Any

import numpy as np
from numpy.typing import NDArray

from streams.audio import RATE

PACKAGE = "silero-vad"


@dataclass(frozen=True, slots=True, kw_only=True)
class Export:
    """One export.

    Attributes:
        name: Its file's name without suffix.
        output: The output with the probability of speech.
        state: What is fed back.
        extra: Inputs beside the frames.
    """

    name: str
    output: str = "output"
    state: Mapping[str, str] = field(default_factory=lambda: {"stateN": "state"})
    extra: Mapping[str, NDArray[Any]] = field(default_factory=dict)

    def path(self) -> Path | None:
        """Where the package has it; None if it is not installed."""
        try:
            files = importlib.metadata.files(PACKAGE) or []
        except importlib.metadata.PackageNotFoundError:
            return None
        found = (file for file in files if file.name == f"{self.name}.onnx")
        return next((Path(str(file.locate())) for file in found), None)

    def inputs(self, frames: NDArray[np.float32]) -> dict[str, NDArray[Any]]:
        """The workload over some sequences (samples, steps, frame)."""
        return {"input": frames, **self.extra}


_RATE = MappingProxyType({"sr": np.array(RATE, np.int64)})
_ZEROS = np.zeros((1, 1, 128), np.float32)

#: The first one names the weights; the one that takes a whole sequence in a run needs no state.
EXPORTS = (
    Export(name="silero_vad_16k_op15", extra=_RATE),
    Export(name="silero_vad", extra=_RATE),
    Export(name="silero_vad_openvino_16k"),
    Export(
        name="silero_vad_16k_sequence",
        output="speech_probs",
        state=MappingProxyType({}),
        extra=MappingProxyType({"h": _ZEROS, "c": _ZEROS}),
    ),
    Export(name="silero_vad_op18_ifless", extra=_RATE),
)
#: The export whose LSTM is written out in single operators.
WRITTEN_OUT = "silero_vad_op18_ifless"
