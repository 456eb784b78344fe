"""Each measurement in a fresh process, so that none inherits another's memory or warm caches."""

from __future__ import annotations

import multiprocessing
import time
import traceback
from collections.abc import Callable
from dataclasses import dataclass, field
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

from benchmark.rows import Row
from benchmark.subjects import FEW, MissingError, Subject, subject

LONGEST_S = 900.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Cell:
    """One measurement to make.

    Attributes:
        task: ``t1`` to ``t6``.
        model: Name of the model; ``-`` for none.
        engine: Name of the engine; empty where none is involved.
        case: What is varied.
        measure: Function of a module of this package; it takes the subject first, if there is a
            model, and gives rows.
        arguments: Its other arguments.
        samples: How many inputs are drawn for a model that comes without data.
        longest_s: Seconds after which it is ended.
    """

    task: str
    model: str
    engine: str = ""
    case: str = ""
    measure: Callable[..., list[Row]]
    arguments: dict[str, Any] = field(default_factory=dict)
    samples: int = FEW
    longest_s: float = LONGEST_S

    def skip(self, reason: str) -> list[Row]:
        """The row that stands for no figures."""
        return [
            Row(
                task=self.task,
                model=self.model,
                engine=self.engine,
                case=self.case,
                skipped=reason,
            )
        ]

    @property
    def label(self) -> str:
        """For progress."""
        return " ".join(part for part in (self.task, self.model, self.engine, self.case) if part)


def measured(cell: Cell, folder: Path, added: dict[str, Path]) -> list[Row]:
    """Make one measurement; failures become rows that say why."""
    try:
        found = None if cell.model == "-" else subject(cell.model, folder, added, cell.samples)
    except MissingError as error:
        return cell.skip(str(error))
    context = multiprocessing.get_context("spawn")
    ours, theirs = context.Pipe(duplex=False)
    process = context.Process(target=_measure, args=(cell, found, theirs), daemon=False)
    process.start()
    theirs.close()
    deadline = time.monotonic() + cell.longest_s
    try:
        while not ours.poll(0.2):
            if time.monotonic() > deadline:
                return cell.skip(f"took over {cell.longest_s:.0f} s")
        answer = ours.recv()
    except EOFError:
        return cell.skip("the process died; out of memory?")
    finally:
        if time.monotonic() > deadline:
            process.terminate()
        process.join()
    return answer if isinstance(answer, list) else cell.skip(str(answer))


def _measure(cell: Cell, found: Subject | None, answer: Connection) -> None:
    try:
        given = () if found is None else (found,)
        answer.send(cell.measure(*given, **cell.arguments))
    except Exception as error:
        # What is expected says why in words; anything else is shown whole, and the run goes on.
        said = " ".join(str(error).split())
        if not type(error).__module__.startswith(("onnxfi", "benchmark")):
            traceback.print_exc()
            said = f"{type(error).__name__}: {said}"
        answer.send(said[:400])
