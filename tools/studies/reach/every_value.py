"""Is every float that onnxruntime computes a site, or left out with a reason?

What there is, is asked of onnx and onnxruntime alone: all values that a file's top-level nodes
compute become outputs of a session, which tells their types. Each float among them must be in the
site table of onnxfi, as a site or with the reason why it is none; so must each stored float.

    python tools/studies/reach/every_value.py               # packages, onnx's own, the zoo
    python tools/studies/reach/every_value.py model.onnx    # this file
    python tools/studies/reach/every_value.py model.onnx --inputs I  # as `run` has shapes

Exits with 1 if a value is missing.
"""

from __future__ import annotations

import argparse
import sys
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import onnx
import onnxruntime as ort
from reach.files import real_models

from onnxfi.engine import EngineSettings, complete_types, open_workload, profile
from onnxfi.faults import SiteTable, enumerate_sites
from onnxfi.graph import load

_FLOATS = ("float", "double", "float16", "bfloat16", "float8")
_STORED = {onnx.TensorProto.FLOAT, onnx.TensorProto.DOUBLE, onnx.TensorProto.FLOAT16}
_STORED |= {onnx.TensorProto.BFLOAT16}
_COLUMNS = ("file", "float values", "sites", "left out", "missing", "why left out")


@dataclass(frozen=True, slots=True, kw_only=True)
class Coverage:
    """What became of the floats of a file.

    Attributes:
        floats: How many there are, computed and stored.
        sites: How many of them are sites.
        reasons: How many are left out, by reason.
        missing: Names of the others.
    """

    floats: int
    sites: int
    reasons: Counter[str]
    missing: tuple[str, ...]


def floats_of(path: Path) -> Iterator[str]:
    """Names of all floats that a file stores or computes at its top level."""
    proto = onnx.load(path, load_external_data=False)
    graph = proto.graph
    yield from (each.name for each in graph.initializer if each.data_type in _STORED)
    present = {value.name for value in graph.output}
    made = [name for node in graph.node for name in node.output if name and name not in present]
    graph.output.extend(onnx.ValueInfoProto(name=name) for name in made)
    options = ort.SessionOptions()
    options.log_severity_level = 4
    options.graph_optimization_level = ort.GraphOptimizationLevel.ORT_DISABLE_ALL
    options.add_session_config_entry(
        "session.model_external_initializers_file_folder_path", str(path.resolve().parent)
    )
    session = ort.InferenceSession(
        proto.SerializeToString(), options, providers=["CPUExecutionProvider"]
    )
    for output in session.get_outputs():
        if output.type.removeprefix("tensor(").rstrip(")").startswith(_FLOATS):
            yield output.name


def table_of(path: Path, inputs: str | None) -> SiteTable:
    """The sites of a file, and what is left out of them."""
    model = complete_types(load(path))
    if inputs is None:
        return enumerate_sites(model.index, model.inputs, model.outputs)
    found = profile(model, open_workload(model, inputs), EngineSettings())
    return enumerate_sites(model.index, model.inputs, model.outputs, found.layouts, found.left_out)


def coverage(path: Path, inputs: str | None = None) -> Coverage:
    """What became of the floats of a file.

    Args:
        path: The file.
        inputs: Source of a workload; None for none.
    """
    table = table_of(path, inputs)
    sites = {site.name for site in table.sites}
    left = {each.name: each.reason for each in table.left_out}
    floats = list(dict.fromkeys(floats_of(path)))
    return Coverage(
        floats=len(floats),
        sites=sum(name in sites for name in floats),
        reasons=Counter(left[name] for name in floats if name in left and name not in sites),
        missing=tuple(name for name in floats if name not in sites and name not in left),
    )


def main() -> int:
    """Look at the files, print a table, and say by the exit code whether a value is missing."""
    summary, _, details = (__doc__ or "").partition("\n\n")
    parser = argparse.ArgumentParser(
        description=summary, epilog=details, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("files", nargs="*", type=Path, help="models; none for all that is there")
    parser.add_argument("--inputs", help="a workload for them, as `onnxfi run` takes it")
    options = parser.parse_args()
    named = {str(path): path for path in options.files}
    print(f"| {' | '.join(_COLUMNS)} |\n|---|{'---:|' * 4}---|")
    complete = True
    for name, path in (named or {each.name: each.path for each in real_models()}).items():
        found = coverage(path, options.inputs)
        why = "; ".join(f"{count} {reason}" for reason, count in found.reasons.most_common())
        out = sum(found.reasons.values())
        row = (name, found.floats, found.sites, out, len(found.missing), why or "-")
        print(f"| {' | '.join(map(str, row))} |", flush=True)
        for each in found.missing:
            print(f"missing: {name}: {each}", file=sys.stderr)
        complete &= not found.missing
    return 0 if complete else 1


if __name__ == "__main__":
    sys.exit(main())
