"""A batch that is fixed in the file of a model, set free where that changes no bit."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from onnxfi.errors import OnnxFIError
from onnxfi.graph import Model, free_batch
from onnxfi.workload import Reading, SampleChoice, Signature, Workload, open_source

if TYPE_CHECKING:
    from onnxfi.engine import EngineSettings

# A longer first axis is no batch: a second of sound, the words of a text.
_MOST = 1024


@dataclass(frozen=True, slots=True, kw_only=True)
class Freed:
    """What came of freeing a batch.

    Attributes:
        rows: The batch in the file; None where none is fixed.
        subject: Model and workload with any number of samples; None if the batch stays.
        reason: Why it stays; empty otherwise.
    """

    rows: int | None = None
    subject: tuple[Model, Workload] | None = None
    reason: str = ""


def try_freeing(model: Model, inputs: Any, choice: SampleChoice, settings: EngineSettings) -> Freed:
    """Free the batch of a model, if one is fixed in its file.

    The model with a free batch is used if the samples are read as they would be otherwise, and if
    it gives the bits of the file's own session, for the workload's samples and for others.

    Args:
        model: The model of the file.
        inputs: Where samples are read from.
        choice: What the user says about samples.
        settings: How the model is run.
    """
    rows = fixed_rows(model)
    if rows is None or settings.graph != "stored" or settings.stream is not None:
        return Freed()
    names = _batched(model, rows)
    freed = free_batch(model, names)
    if freed is None:
        return Freed(rows=rows, reason="shapes in it can't follow the batch")
    from onnxfi.engine import freed_differs, open_workload

    try:
        ways = open_source(inputs, Signature(inputs=model.inputs, outputs=model.outputs), choice)
        workload = open_workload(freed, inputs, choice=choice, settings=settings)
        readings = [way.inputs for way in ways.ways().ways]
    except OnnxFIError:
        return Freed(rows=rows, reason="with another number of samples it does not run")
    if workload.reading.inputs not in readings or _on_first(workload.reading) != set(names):
        return Freed(rows=rows, reason="its samples would be read in another way")
    differs = freed_differs(model, freed, workload, rows, settings)
    if differs is not None:
        return Freed(rows=rows, reason=differs)
    return Freed(rows=rows, subject=(freed, workload))


def fixed_rows(model: Model) -> int | None:
    """The batch that is fixed in a file, as far as its declarations tell; None if none is."""
    first = next((spec.shape for spec in model.inputs if spec.shape), None)
    size = first[0] if first is not None and len(first) > 1 else None
    return size if isinstance(size, int) and 0 < size <= _MOST else None


def freed_again(model: Model, rows: int) -> Model | None:
    """The model with its batch freed, as it was when a campaign was made."""
    return free_batch(model, _batched(model, rows))


def _batched(model: Model, rows: int) -> list[str]:
    """Inputs whose first axis may be the batch."""
    return [s.name for s in model.inputs if s.shape and len(s.shape) > 1 and s.shape[0] == rows]


def _on_first(reading: Reading) -> set[str]:
    return {name for name, role in reading.inputs.items() if role.axis == 0}
