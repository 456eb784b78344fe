"""A model with one tensor over 2 GiB: inspected, run, and a scenario written into a file.

    python tools/large_tensor.py

The tensor is a table of embeddings in a sparse file. It takes 2.3 GB of disk for the faulty model,
up to 5 GB of memory, and a minute. Exits with 1 if a command fails or the written model is not the
model but for one bit.
"""

from __future__ import annotations

import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np
import onnx
from onnx import TensorProto, helper

from onnxfi.engine import runtime_version

ROWS, WIDTH = 560_000, 1024
ROW = 7


def main() -> int:
    """Run the command line; 0 if all holds."""
    print(f"One tensor of {ROWS * WIDTH * 4:,} bytes, onnxruntime {runtime_version()}\n")
    with tempfile.TemporaryDirectory(prefix="onnxfi-large-") as name:
        folder = Path(name)
        _write_model(folder)
        held = all(_call(folder, words) for words in _COMMANDS)
        return 0 if held and _one_bit(folder) else 1


_COMMANDS = (
    ("inspect", "m.onnx"),
    ("run", "c", "--model", "m.onnx", "--inputs", "in.npz", "--criterion", "top1", "-n", "3"),
    ("sample", "m.onnx", "-o", "f.jsonl", "-n", "1", "--include", "table"),
    ("inject", "m.onnx", "f.jsonl", "-o", "faulty.onnx"),
)


def _call(folder: Path, words: tuple[str, ...]) -> bool:
    call = [sys.executable, "-c", "from onnxfi.cli import main; main()", *words]
    found = subprocess.run(call, cwd=folder, capture_output=True, text=True, check=False)
    print(f"- `onnxfi {' '.join(words)}`: exit code {found.returncode}")
    if found.returncode:
        print(found.stderr)
    return found.returncode == 0


def _write_model(folder: Path) -> None:
    rng = np.random.default_rng(0)
    with (folder / "table.bin").open("wb") as file:
        file.truncate(ROWS * WIDTH * 4)
    table = np.memmap(folder / "table.bin", np.float32, "r+", shape=(ROWS, WIDTH))
    table[ROW] = rng.normal(size=WIDTH)
    table.flush()
    stored = TensorProto(name="table", dims=[ROWS, WIDTH], data_type=TensorProto.FLOAT)
    stored.data_location = TensorProto.EXTERNAL
    stored.external_data.add(key="location", value="table.bin")
    nodes = [
        helper.make_node("Gather", ["table", "ids"], ["rows"]),
        helper.make_node("ReduceMax", ["rows"], ["y"], axes=[1], keepdims=0),
    ]
    graph = helper.make_graph(
        nodes,
        "g",
        [helper.make_tensor_value_info("ids", TensorProto.INT64, ["n", 3])],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, ["n", WIDTH])],
        [stored],
    )
    onnx.save(
        helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8),
        folder / "m.onnx",
    )
    np.savez(folder / "in.npz", ids=np.array([[1, ROW, ROWS - 3], [ROW, 0, 1]], np.int64))


def _one_bit(folder: Path) -> bool:
    """Whether the written table is the model's but for one bit."""
    size = (ROWS, WIDTH)
    clean, faulty = (
        np.memmap(folder / name, np.uint32, "r", shape=size)
        for name in ("table.bin", "faulty.onnx.data")
    )
    bits = sum(
        int(np.bitwise_count(clean[start : start + 8192] ^ faulty[start : start + 8192]).sum())
        for start in range(0, ROWS, 8192)
    )
    print(f"- bits that differ in the written tensor: {bits}")
    return bits == 1


if __name__ == "__main__":
    sys.exit(main())
