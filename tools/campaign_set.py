"""Thirty small campaigns over the zoo, made by one version and compared with those of another.

For changes that must not change a result: each campaign is run, its rows exported, its folder read,
and its ``--json`` documents taken; what two versions wrote differs in nothing but times, paths of
temporary folders and versions of software.

    python tools/campaign_set.py make OUT             # with the package of this checkout
    python tools/campaign_set.py compare BEFORE OUT   # 1 if anything differs, each difference named

Both sets must be made on one machine with one onnxruntime, by the same models (``--models``):
rows depend on the CPU and identities on the paths. A campaign takes 2 to 20 s.
"""

from __future__ import annotations

import argparse
import csv
import json
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

ROOT = Path(__file__).resolve().parent.parent
#: Keys of JSON documents that a clock, a process or a machine decides, never the experiment.
_VOLATILE = frozenset(
    {"created_at", "finished_at", "run_s", "worker", "software", "hardware", "time_left_s"}
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Case:
    """A campaign: its name, model, workload, and the options of ``onnxfi run``."""

    name: str
    model: str
    inputs: str
    options: str


_FASHION, _MNIST = "fashion_test1000.npz", "mnist_test1000.npz"
_RESNET, _LENET = "resnet8_fashion_", "lenet5_mnist_"
_ROWS = [
    ("weights", _RESNET + "fp32", _FASHION, "-n 20 --seed 1"),
    ("bake", _LENET + "fp32", _MNIST, "-n 12 --engine bake --seed 2"),
    ("lift", _LENET + "fp32", _MNIST, "-n 20 --engine lift --seed 3"),
    ("ports", _LENET + "fp32", _MNIST, "-n 20 --engine ports --targets weight,activation"),
    ("cut", _RESNET + "fp32", _FASHION, "-n 20 --engine cut --targets weight,activation"),
    ("cut-disabled", _LENET + "fp32", _MNIST, "-n 20 --engine cut --optimization disabled"),
    ("activations", _LENET + "fp32", _MNIST, "-n 20 --targets activation,input"),
    (
        "all-kinds",
        _RESNET + "int8_qdq",
        _FASHION,
        "-n 20 --targets weight,bias,activation,scale,zero_point",
    ),
    ("qoperator", _LENET + "int8_qoperator", _MNIST, "-n 15 --targets weight,activation"),
    ("dynamic", _LENET + "int8_dynamic", "random:8:1", "-n 6"),
    ("half", _LENET + "fp16", _MNIST, "-n 12 --targets weight,activation --engine cut"),
    ("bfloat16", _LENET + "bf16", "random:20:1", "-n 8"),
    ("int4", _LENET + "int4", _MNIST, "-n 12"),
    ("sparse", _LENET + "pruned90_sparse", _MNIST, "-n 12 --targets weight,sparse_index"),
    (
        "deployed",
        _RESNET + "fp32",
        _FASHION,
        "-n 15 --graph deployed --targets weight,activation",
    ),
    ("spiking", "snn_snntorch_mnist", _MNIST, "-n 12 --targets activation --spikes"),
    (
        "spiking-steps",
        "snn_spikingjelly_mnist",
        _MNIST,
        "-n 10 --targets activation --step 2-4 --over-steps",
    ),
    ("spiking-loop", "snn_snntorch_mnist_loop", _MNIST, "-n 8 --targets weight,activation"),
    ("stratified", _LENET + "fp32", _MNIST, "--strata layer,field -n 24 --seed 4"),
    ("importance", _LENET + "fp32", _MNIST, "--scores {scores} -n 24 --seed 5"),
    ("top", _LENET + "fp32", _MNIST, "--scores {scores} --sampler top -n 12"),
    (
        "exhaustive",
        _LENET + "fp32",
        "random:10:1",
        "--sampler exhaustive --targets bias --bits 30,31 --criterion top1",
    ),
    ("ber", _LENET + "fp32", _MNIST, "--ber 1e-4 -n 10 --targets weight,activation"),
    (
        "ber-per-sample",
        _LENET + "fp32",
        _MNIST,
        "--ber 1e-5 --ber-per-sample -n 6 --targets activation",
    ),
    ("several", _LENET + "fp32", _MNIST, "-n 10 --faults-per-scenario 50 --engine lift"),
    (
        "models-mixed",
        _LENET + "fp32",
        _MNIST,
        "-n 20 --fault-model stuck0 --fault-model burst:3 --fault-model set:1.5",
    ),
    ("set-random", _LENET + "fp32", _MNIST, "-n 12 --fault-model set:random --targets weight"),
    ("faults-file", _LENET + "fp32", _MNIST, "--faults {faults}"),
    (
        "tolerance",
        _LENET + "fp32",
        _MNIST,
        "-n 12 --criterion tolerance:0.1,0.01 --drop 0.2 --monitor *conv*",
    ),
    ("workers-find", _LENET + "fp32", _MNIST, "-n 60 --find 3 --workers 2"),
]
CASES = tuple(Case(name=n, model=f"{m}.onnx", inputs=i, options=o) for n, m, i, o in _ROWS)


def _run(arguments: list[str], log: Path) -> subprocess.CompletedProcess[str]:
    found = subprocess.run(
        [sys.executable, "-c", "from onnxfi.cli import main; main()", *arguments],
        text=True,
        capture_output=True,
        check=False,
        env=os.environ | {"OMP_NUM_THREADS": "1"},
    )
    with log.open("a") as file:
        print(f"$ {arguments}\n{found.stderr}", file=file)
    return found


def _make_one(case: Case, models: Path, out: Path) -> None:
    folder = out / case.name
    log = out / f"{case.name}.log"
    log.unlink(missing_ok=True)
    shutil.rmtree(folder, ignore_errors=True)
    model = str(models / case.model)
    inputs = case.inputs if case.inputs.startswith("random:") else str(models / case.inputs)
    helpers = {"scores": str(models / "scores.npz"), "faults": str(models / "faults.jsonl")}
    options = case.options.format(**helpers).replace("", "").split()
    found = _run(
        ["run", str(folder), "--model", model, "--inputs", inputs, *options, "--json"], log
    )
    documents: dict[str, Any] = {"run-code": found.returncode, "run": found.stdout}
    for verb in ("status", "report"):
        documents[verb] = _run([verb, str(folder), "--json"], log).stdout
    documents["rows"] = _run(["export", str(folder), "--format", "csv"], log).stdout
    documents["sites"] = _run(["sites", model, "--json"], log).stdout
    documents["inspect"] = _run(["inspect", model, "--json"], log).stdout
    documents["replay"] = _run(["replay", str(folder), "0", "--json"], log).stdout
    (out / f"{case.name}.json").write_text(json.dumps(documents, indent=1))
    print(f"{case.name}: exit {found.returncode}", flush=True)


def _make_helpers(models: Path) -> None:
    model, inputs = models / "lenet5_mnist_fp32.onnx", models / "mnist_test1000.npz"
    log = models / "helpers.log"
    if not (models / "scores.npz").exists():
        _run(
            ["sensitivity", str(model), "--inputs", str(inputs), "-o", str(models / "scores.npz")],
            log,
        )
    if not (models / "faults.jsonl").exists():
        _run(
            [
                "sample",
                str(model),
                "--sampler",
                "uniform",
                "-n",
                "15",
                "--seed",
                "9",
                "-o",
                str(models / "faults.jsonl"),
            ],
            log,
        )


def _plain(value: Any) -> Any:
    if isinstance(value, dict):
        return {k: _plain(v) for k, v in value.items() if k not in _VOLATILE}
    if isinstance(value, list):
        return [_plain(v) for v in value]
    return value


def _parsed(text: str, out: Path) -> Any:
    text = text.replace(str(out), "OUT")
    try:
        return _plain(json.loads(text))
    except ValueError:
        return [_plain(json.loads(line)) for line in text.splitlines() if line.startswith("{")]


def _rows(text: str) -> list[dict[str, str]]:
    rows = csv.DictReader(text.splitlines())
    return sorted(
        ({k: v for k, v in row.items() if k not in _VOLATILE} for row in rows),
        key=lambda row: int(row["scenario"]),
    )


def _taken(case: str, out: Path) -> dict[str, Any]:
    documents = json.loads((out / f"{case}.json").read_text())
    found: dict[str, Any] = {"exit": documents["run-code"], "rows": _rows(documents["rows"])}
    for verb in ("run", "status", "report", "sites", "inspect", "replay"):
        found[verb] = _parsed(documents[verb], out)
    folder = out / case
    found["campaign.json"] = _parsed((folder / "campaign.json").read_text(), out)
    found["faults.jsonl"] = (folder / "faults.jsonl").read_text().splitlines()
    with np.load(folder / "golden.npz") as arrays:
        found["golden.npz"] = {name: arrays[name].tobytes().hex() for name in sorted(arrays)}
    found["files"] = sorted(p.name for p in folder.iterdir())
    return found


def _differences(old: Any, new: Any, where: str) -> Iterator[str]:
    if isinstance(old, dict) and isinstance(new, dict):
        for key in sorted(set(old) | set(new), key=str):
            if key not in old or key not in new:
                yield f"{where}.{key}: only {'after' if key in new else 'before'}"
            else:
                yield from _differences(old[key], new[key], f"{where}.{key}")
    elif isinstance(old, list) and isinstance(new, list) and len(old) == len(new):
        for k, (a, b) in enumerate(zip(old, new, strict=True)):
            yield from _differences(a, b, f"{where}[{k}]")
    elif old != new:
        yield f"{where}: {str(old)[:150]!r} -> {str(new)[:150]!r}"


def _compare(before: Path, after: Path, names: list[str]) -> int:
    count = 0
    for case in CASES:
        if names and case.name not in names:
            continue
        if not (after / f"{case.name}.json").exists():
            print(f"{case.name}: not made")
            continue
        lines = list(_differences(_taken(case.name, before), _taken(case.name, after), case.name))
        count += len(lines)
        print(f"{case.name}: {'identical' if not lines else f'{len(lines)} differences'}")
        for line in lines[:12]:
            print(f"  {line}")
    return 1 if count else 0


def main() -> int:
    """Make or compare; the exit code."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--models", type=Path, default=ROOT / "models")
    parser.add_argument("--only", nargs="*", default=[])
    parser.add_argument("verb", choices=("make", "compare"))
    parser.add_argument("folders", type=Path, nargs="+")
    given = parser.parse_args()
    if given.verb == "compare":
        return _compare(given.folders[0].resolve(), given.folders[1].resolve(), given.only)
    out = given.folders[0].resolve()
    out.mkdir(parents=True, exist_ok=True)
    models = given.models.resolve()
    _make_helpers(models)
    for case in CASES:
        if not given.only or case.name in given.only:
            _make_one(case, models, out)
    return 0


if __name__ == "__main__":
    sys.exit(main())
