"""Campaigns of many faults at once with engine cut: stopped, resumed, in pieces; the same rows."""

from __future__ import annotations

import json
import sqlite3
import subprocess
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any

import numpy as np
import pytest

Cli = Callable[..., "subprocess.CompletedProcess[str]"]

MODELS = Path(__file__).resolve().parents[2] / "models"
N = 12
SAMPLES = 30
#: What may be different between two runs of one campaign.
CLOCK = ("run_s", "worker", "finished_at")

DRAWN = {
    "together": ("--faults-per-scenario", 100),
    "ber": ("--ber", 2e-5),
    "ber per sample": ("--ber", 2e-5, "--ber-per-sample"),
}
SUBJECTS = {
    "float weights": ("resnet8_fashion_fp32.onnx", "weight,bias"),
    "float": ("lenet5_mnist_fp32.onnx", "weight,activation"),
    "integer": ("lenet5_mnist_int8_qoperator.onnx", "weight,activation,scale"),
}


@pytest.fixture(scope="module")
def inputs(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], Path]:
    """A few samples for a model of the zoo."""
    folder = tmp_path_factory.mktemp("inputs")

    def make(model: str) -> Path:
        data = "fashion" if "fashion" in model else "mnist"
        path = folder / f"{data}.npz"
        if not path.is_file():
            with np.load(MODELS / f"{data}_test1000.npz") as full:
                np.savez(path, **{name: values[:SAMPLES] for name, values in full.items()})
        return path

    return make


def _rows(cli: Cli, folder: Path) -> list[dict[str, Any]]:
    result = cli("export", folder, "--format", "jsonl")
    assert result.returncode == 0, result.stderr
    rows = [json.loads(line) for line in result.stdout.splitlines()]
    return [{key: row[key] for key in row if key not in CLOCK} for row in rows]


def _stored(folder: Path) -> int:
    with closing(sqlite3.connect(folder / "results.sqlite")) as connection:
        return int(connection.execute("SELECT count(*) FROM results").fetchone()[0])


#: Every subject and every way to draw at least once; the other pairs are heavy.
ORDINARY = {("float weights", "together"), ("float", "ber per sample"), ("integer", "ber")}


def _cases() -> list[Any]:
    cases = [("float weights", drawn) for drawn in ("together", "ber")]
    cases += [(name, drawn) for name in ("float", "integer") for drawn in DRAWN]
    return [
        pytest.param(*case, marks=() if case in ORDINARY else pytest.mark.heavy) for case in cases
    ]


@pytest.mark.parametrize(("subject", "drawn"), _cases())
def test_a_campaign_in_pieces_has_the_rows_of_one_that_was_never_stopped(
    cli: Cli, inputs: Callable[[str], Path], tmp_path: Path, subject: str, drawn: str
) -> None:
    model, targets = SUBJECTS[subject]
    words: list[object] = [
        "--model",
        MODELS / model,
        "--inputs",
        inputs(model),
        "--targets",
        targets,
    ]
    if "per sample" in drawn:  # what is stored is there for every sample
        words[-1] = "activation"
    words += ["-n", N, "--seed", 3, "--engine", "cut", *DRAWN[drawn], "-q"]
    whole, pieces, tight = (tmp_path / name for name in ("whole", "pieces", "tight"))
    result = cli("run", whole, *words)
    assert result.returncode == 0, result.stderr
    expected = _rows(cli, whole)
    assert len(expected) == N
    assert [row["scenario"] for row in expected] == list(range(N))
    assert all(row["samples"] == SAMPLES for row in expected)
    assert any(row["masked"] < SAMPLES for row in expected)
    assert '"cut"' in (whole / "campaign.json").read_text(), "the engine that was asked for"

    done = []
    for number in range(N):  # a few scenarios at a time
        again = () if number else words
        result = cli("run", pieces, *again, "--max-injections", 5)
        done.append(_stored(pieces))
        if done[-1] == N:
            assert result.returncode == 0, result.stderr
            break
        assert result.returncode == 3, result.stderr
    assert done == [5, 10, N]
    assert _rows(cli, pieces) == expected

    # Neither the number of workers nor the memory that there is decides a row.
    result = cli("run", tight, *words, "--workers", 2, "--memory-limit", "1MiB")
    assert result.returncode == 0, result.stderr
    assert _rows(cli, tight) == expected
