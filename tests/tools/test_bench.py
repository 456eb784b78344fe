"""`tools/bench.py` runs, and its JSON has the shape that programs rely on. No times asserted."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from onnxfi.engine import ENGINES

ROOT = Path(__file__).resolve().parents[2]


def _bench(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "tools/bench.py", *arguments],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )


@pytest.fixture(scope="module")
def measured(tmp_path_factory: pytest.TempPathFactory) -> tuple[dict[str, Any], str]:
    """The JSON and the Markdown of a quick run on one model."""
    output = tmp_path_factory.mktemp("bench") / "bench.json"
    done = _bench(
        *("--quick", "--only", "t1", "--only", "t2", "--only", "t4", "--only", "t6"),
        *("--only", "resnet8_fp32", "--only", "tiny", "-o", str(output)),
    )
    assert done.returncode == 0, done.stderr
    return json.loads(output.read_text(encoding="utf-8")), done.stdout


@pytest.mark.heavy
def test_every_engine_is_measured_in_every_task(measured):
    document, _ = measured
    assert document["format"] == "onnxfi-bench/1"
    assert {"onnxruntime", "python", "cores"} <= document["machine"].keys()
    skipped = {(row["task"], row["engine"]) for row in document["rows"] if row["skipped"]}
    # Lift takes faults in stored tensors only; nothing else may be passed over.
    assert {engine for _, engine in skipped} <= {"lift"}
    assert ("t1", "lift") not in skipped
    for task in ("t1", "t2", "t4", "t6"):
        engines = {row["engine"] for row in document["rows"] if row["task"] == task}
        assert engines >= set(ENGINES.names()) - {engine for t, engine in skipped if t == task}


@pytest.mark.heavy
def test_ratios_are_positive(measured):
    document, _ = measured
    ratios = [
        (value, low, high)
        for row in document["rows"]
        for name, (value, low, high) in (
            item for item in row["figures"].items() if item[0].endswith("_ratio")
        )
    ]
    assert len(ratios) >= 4 * 2 * len(ENGINES.names())
    for value, low, high in ratios:
        assert 0 < low <= high
        assert value > 0


@pytest.mark.heavy
def test_the_tables_are_markdown(measured):
    _, text = measured
    tables = [block for block in text.split("\n\n") if block.startswith("|")]
    assert len(tables) == 5  # four tasks and the marks
    for table in tables:
        assert len({line.count("|") for line in table.splitlines()}) == 1


@pytest.mark.heavy
def test_marks_are_held_against_what_was_measured(measured):
    document, text = measured
    marks = document["marks"]
    assert {"t1", "t2", "t3", "t4", "t5", "t6"} == {mark["task"] for mark in marks}
    (found,) = (mark for mark in marks if "machinery of an injection" in mark["what"])
    assert found["measured"] is not None
    assert found["must"] == 0.3
    assert found["engine"] in ENGINES
    missing = [mark for mark in marks if mark["model"] == "resnet18"]
    assert {mark["reached"] for mark in missing} == {"not measured"}
    assert "### Marks" in text


@pytest.mark.heavy
def test_memory_is_held_against_what_is_allowed(measured):
    document, _ = measured
    rows = [row for row in document["rows"] if row["task"] == "t6" and row["engine"]]
    for figures in (row["figures"] for row in rows if row["skipped"] is None):
        parts = figures["memory_limit_mib"] + figures["model_mib"] + figures["workload_mib"]
        assert figures["allowed_mib"] == pytest.approx(parts + 300e6 / 2**20)
        assert (figures["peak_mib"] <= figures["allowed_mib"]) == (figures["holds"] == "yes")


@pytest.mark.heavy
def test_workers_take_turns(tmp_path):
    output = tmp_path / "bench.json"
    done = _bench("--quick", "--only", "t5", "--only", "resnet8_fp32", "-o", str(output))
    assert done.returncode == 0, done.stderr
    rows = json.loads(output.read_text(encoding="utf-8"))["rows"]
    found = [row["figures"] for row in rows if "worker" in row["case"]]
    assert len(found) == 2
    assert found[0]["injections"] == found[1]["injections"]
    assert all(figures["injections_per_s"] > 0 for figures in found)


@pytest.mark.heavy
def test_a_model_of_ones_own_can_be_added(tmp_path):
    output = tmp_path / "bench.json"
    model = ROOT / "models" / "lenet5_mnist_fp32.onnx"
    done = _bench(
        *("--quick", "--only", "t1", "--only", "mine", "--add", f"mine={model}", "-o", str(output))
    )
    assert done.returncode == 0, done.stderr
    rows = json.loads(output.read_text(encoding="utf-8"))["rows"]
    assert [row["model"] for row in rows] == ["mine"] * len(ENGINES.names())
    assert all(row["figures"]["mean_cpu_ratio"][0] > 0 for row in rows)


def test_what_cannot_be_measured_says_why():
    done = _bench("--quick", "--only", "efficientnet_lite0")
    assert done.returncode == 1
    assert "make_efficientnet.py" in done.stdout
    done = _bench("--only", "nonsense")
    assert done.returncode == 2
    assert "choose from" in done.stderr
