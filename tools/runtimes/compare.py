"""One line of the comparison: a model and a kind of scenario, in onnxruntime and in another."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from agreement.draw import Case as Draw
from agreement.draw import scenarios
from numpy.typing import NDArray

import onnxfi as fi
from onnxfi.graph import Model, load, serialize
from onnxfi.inject import bake
from runtimes.answers import RefusedError, Runtime, onnxruntime
from runtimes.cases import Case

#: Distance of the two best scores, relative to the largest, up to which a runtime's own rounding
#: may turn a decision; by the format of the model, the first that its name contains.
TIES = {"fp16": 4e-3, "int8": 2e-2, "": 1e-5}


@dataclass(frozen=True, slots=True, kw_only=True)
class Effort:
    """How much to compare: scenarios a line, pictures a scenario, and the seed of the draw."""

    scenarios: int
    images: int
    seed: int


@dataclass(slots=True, kw_only=True)
class Line:
    """What a model and a case came to; counts are pairs of scenario and picture.

    Attributes:
        model: Name of the file.
        case: What scenarios do.
        excused: They lead where ONNX says nothing, or where the other runtime is known to break
            what it says, so decisions may differ.
        scenarios: Scenarios compared.
        refused: Scenarios whose file the other runtime refuses.
        reason: Why it refuses one of them.
        compared: Decisions compared.
        changed: Decisions that the faults changed in onnxruntime: other classes, or scores that
            are not finite, or an error.
        ties: Decisions that differ where the two best scores of one run are as good as equal.
        unfused: Decisions that differ, but are those of onnxruntime with its optimisations
            disabled: its fused kernels do another arithmetic than the nodes as written.
        infinite: Decisions where the scores of one of them are not finite, of the other they are.
        differ: Decisions that differ for no such reason.
        notes: Each of the last kind: scenario, picture, both scores' best.
    """

    model: str
    case: str
    excused: bool = False
    scenarios: int = 0
    refused: int = 0
    reason: str = ""
    compared: int = 0
    changed: int = 0
    ties: int = 0
    unfused: int = 0
    infinite: int = 0
    differ: int = 0
    notes: list[str] = field(default_factory=list)

    @property
    def holds(self) -> bool:
        """Whether each decision is the same, or differs for a reason that is known."""
        return self.excused or not self.differ


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class _Run:
    """A faulty file, and what both runtimes make of the pictures."""

    faulty: bytes
    pictures: NDArray[np.float32]
    ours: NDArray[Any]
    theirs: NDArray[Any]


def compare(path: Path, data: Path, case: Case, runtime: Runtime, effort: Effort) -> Line:
    """Draw scenarios, bake each, and run the file in onnxruntime and in the other runtime."""
    with np.load(data) as arrays:
        pictures = arrays["image"][: effort.images]
    line = Line(model=path.name, case=case.name, excused=case.undefined)
    tie = next(limit for word, limit in TIES.items() if word in path.name)
    plain = onnxruntime(path.read_bytes(), pictures)
    golden = plain.argmax(axis=1)
    for number, faulty in _baked(load(path), data, case, effort):
        try:
            theirs = runtime(faulty, pictures)
        except RefusedError as error:
            line.refused, line.reason = line.refused + 1, str(error)
            continue
        ours = _answer(faulty, pictures, plain.shape[1])
        line.scenarios += 1
        line.changed += int((_decisions(ours) != golden).sum())
        run = _Run(faulty=faulty, pictures=pictures, ours=ours, theirs=theirs)
        _judge(line, number, run, tie)
    return line


def _answer(
    model: bytes, pictures: NDArray[np.float32], classes: int, *, fused: bool = True
) -> NDArray[Any]:
    """What onnxruntime answers; where it raises, there is no decision, as for infinite scores."""
    try:
        return onnxruntime(model, pictures, fused=fused)
    except Exception:  # onnxruntime's exceptions have no common base
        return np.full((len(pictures), classes), np.nan, np.float32)


def _baked(model: Model, data: Path, case: Case, effort: Effort) -> Iterator[tuple[int, bytes]]:
    """Numbers and faulty files of the scenarios of a case."""
    sites = case.sites(fi.enumerate_sites(model, inputs=data))
    if not sites:
        return
    draw = Draw(name=case.name, kind="", flips=case.flips)
    by_name = {site.name: site for site in sites}
    for scenario in scenarios(sites, draw, effort.scenarios, effort.seed, case.bits):
        yield scenario.number, serialize(bake(model, scenario, by_name)).data


def _decisions(scores: NDArray[Any]) -> NDArray[np.int64]:
    """The class of each row; -1 where a score is not finite, so that there is no decision."""
    finite = np.isfinite(scores).all(axis=1)
    return np.where(finite, np.nan_to_num(scores).argmax(axis=1), -1)


def _judge(line: Line, number: int, run: _Run, tie: float) -> None:
    here, there = _decisions(run.ours), _decisions(run.theirs)
    line.compared += len(here)
    other = np.flatnonzero(here != there).tolist()
    if not other:
        return
    written = _answer(run.faulty, run.pictures, run.ours.shape[1], fused=False)
    unfused = _decisions(written)
    for row in other:
        scores = (run.ours[row], run.theirs[row], written[row])
        finite = min(here[row], there[row]) >= 0
        if finite and min(map(_margin, scores)) <= tie:
            line.ties += 1
            continue
        if unfused[row] == there[row]:
            line.unfused += 1
            continue
        if not finite:
            line.infinite += 1
            continue
        line.differ += 1
        ours, theirs, plain = (_best(each) for each in scores)
        line.notes.append(
            f"scenario {number}, picture {row}: {ours} against {theirs} (unfused: {plain})"
        )


def _margin(scores: NDArray[Any]) -> float:
    """Distance of the two best scores, relative to the largest magnitude of the row."""
    wide = scores.astype(np.float64)
    second, best = np.sort(wide)[-2:]
    return float((best - second) / max(np.abs(wide).max(), 1e-30))


def _best(scores: NDArray[Any]) -> str:
    order = np.argsort(scores)[::-1][:2]
    return ", ".join(f"class {k} {scores[k]:.6g}" for k in order.tolist())
