"""What a CPU is, and what it makes of quantized models, as seen by a process that runs on it.

Started as a script it writes that for the CPU that it runs on: `python tools/cpus/answers.py FILE`.
"""

from __future__ import annotations

import sys
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from onnxfi.engine import EngineSettings, Session, instruction_set, int8_arithmetic
from onnxfi.graph import load

_MODELS = Path(__file__).resolve().parents[2] / "models"
_CASES = {
    "lenet5_mnist_int8_qdq": "mnist_test1000",
    "resnet8_fashion_int8_qdq": "fashion_test1000",
}
_IMAGES = 100


@dataclass(frozen=True, slots=True, kw_only=True)
class Answers:
    """What a CPU is and answers.

    Attributes:
        instruction_set: As `onnxfi doctor` says it.
        int8_arithmetic: Likewise.
        outputs: Outputs of quantized models on a few images, by model.
    """

    instruction_set: str
    int8_arithmetic: str
    outputs: dict[str, NDArray[np.float32]]

    @classmethod
    def read(cls, path: Path) -> Answers:
        """What a process has written."""
        with np.load(path) as stored:
            found = dict(stored)
        names = {name: str(found.pop(name)) for name in ("instruction_set", "int8_arithmetic")}
        return cls(outputs=found, **names)

    def differing(self, other: Answers) -> tuple[float, int, int]:
        """Shares of output numbers, number of decisions that differ, and of how many."""
        pairs = [(ours, other.outputs[name]) for name, ours in self.outputs.items()]
        numbers = sum(int(np.count_nonzero(ours != theirs)) for ours, theirs in pairs)
        decisions = sum(
            int(np.count_nonzero(ours.argmax(axis=1) != theirs.argmax(axis=1)))
            for ours, theirs in pairs
        )
        size = sum(ours.size for ours, _ in pairs)
        return numbers / size, decisions, sum(len(ours) for ours, _ in pairs)


def main(path: Path) -> None:
    """Write what the CPU that this process runs on is and answers."""
    found = {}
    for name, data in _CASES.items():
        session = Session(load(_MODELS / f"{name}.onnx"), EngineSettings())
        with np.load(_MODELS / f"{data}.npz") as arrays:
            (found[name],) = session.run({"image": arrays["image"][:_IMAGES]}).values()
    np.savez(path, instruction_set=instruction_set(), int8_arithmetic=int8_arithmetic(), **found)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
