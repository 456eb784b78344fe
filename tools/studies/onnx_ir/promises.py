"""What onnx-ir keeps of a model, held against what ``onnxfi.graph`` promises to keep.

    pip install onnx-ir
    python tools/studies/onnx_ir/promises.py models

Round trips of all files below the folders, and what the passes do with repeated names, Constants
and functions that double. A file counts as changed if any field does, by order or by loss. Its
findings are in ARCHITECTURE.md, "Why not onnx-ir".
"""

from __future__ import annotations

import argparse
import importlib
import logging
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import onnx
from onnx import ModelProto, helper

_OPSETS = [helper.make_opsetid("", 21), helper.make_opsetid("made", 1)]


def changed(model: ModelProto, ir: Any) -> list[str]:
    """Fields of a model and its graph that a round trip changes."""
    again = ir.to_proto(ir.from_proto(model))
    own = [f.name for f in model.DESCRIPTOR.fields if f.name != "graph"]
    found = [name for name in own if getattr(model, name) != getattr(again, name)]
    fields = [f.name for f in model.graph.DESCRIPTOR.fields]
    return found + [f for f in fields if getattr(model.graph, f) != getattr(again.graph, f)]


def round_trips(folders: list[Path], ir: Any) -> Iterator[str]:
    """How many files change, and in which fields."""
    counts: Counter[str] = Counter()
    files = [path for folder in folders for path in sorted(folder.rglob("*.onnx"))]
    for path in files:
        try:
            counts[", ".join(changed(onnx.load(path), ir)) or "nothing"] += 1
        except Exception as error:  # whatever it refuses is the finding
            counts[type(error).__name__] += 1
    yield f"round trips of {len(files)} files change:"
    yield from (f"  {count:4d}  {what}" for what, count in counts.most_common())


def names_and_constants(ir: Any, passes: Any) -> Iterator[str]:
    """What becomes of node names, and of a Constant that holds a number."""
    nodes = [
        helper.make_node("Relu", ["x"], ["a"], name="same"),
        helper.make_node("Relu", ["a"], ["b"], name="same"),
        helper.make_node("Constant", [], ["c"], value_float=1.0),
        helper.make_node("Add", ["b", "c"], ["y"]),
    ]
    ends = (helper.make_tensor_value_info(name, 1, [2]) for name in "xy")
    graph = helper.make_graph(nodes, "g", *([end] for end in ends))
    model = ir.from_proto(helper.make_model(graph, opset_imports=_OPSETS[:1]))
    passes.NameFixPass()(model)
    yield f"names {[node.name for node in nodes]} become {[node.name for node in model.graph]}"
    passes.LiftConstantsToInitializersPass()(model)
    kept = [node.op_type for node in model.graph if node.op_type == "Constant"]
    yield f"Constants left after lifting: {len(kept)} of 1"


def doubling(ir: Any, passes: Any, depth: int) -> str:
    """How long it takes to inline functions that each call the one before twice."""
    functions = []
    for level in range(depth):
        called, domain = (f"f{level - 1}", "made") if level else ("Relu", "")
        calls = [
            helper.make_node(called, ["a"], ["b"], domain=domain),
            helper.make_node(called, ["b"], ["c"], domain=domain),
        ]
        functions.append(helper.make_function("made", f"f{level}", ["a"], ["c"], calls, _OPSETS))
    call = helper.make_node(f"f{depth - 1}", ["x"], ["y"], domain="made")
    ends = (helper.make_tensor_value_info(name, 1, [2]) for name in "xy")
    graph = helper.make_graph([call], "g", *([end] for end in ends))
    made = helper.make_model(graph, functions=functions, opset_imports=_OPSETS)
    model, started = ir.from_proto(made), time.process_time()
    passes.InlinePass()(model)
    seconds = time.process_time() - started
    return f"{depth} doubling functions: {len(model.graph)} nodes, {seconds:.1f} s"


def main() -> None:
    """Print the findings."""
    parser = argparse.ArgumentParser(
        description=(__doc__ or "").partition("\n")[0],
        epilog=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("folders", type=Path, nargs="+", help="folders of .onnx files")
    folders = parser.parse_args().folders
    ir = importlib.import_module("onnx_ir")
    passes = importlib.import_module("onnx_ir.passes.common")
    logging.getLogger("onnx_ir").setLevel(logging.ERROR)
    print(f"onnx-ir {ir.__version__}, onnx {onnx.__version__}")
    print(*round_trips(folders, ir), *names_and_constants(ir, passes), sep="\n")
    for depth in (8, 10, 12):
        print(doubling(ir, passes, depth), flush=True)


if __name__ == "__main__":
    main()
