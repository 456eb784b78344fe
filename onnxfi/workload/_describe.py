"""What a sample is, in one line."""

from __future__ import annotations

import itertools
from collections.abc import Mapping
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from onnxfi.faults import SampleLayout
    from onnxfi.workload._workload import Workload

_ALIKE = 4  # values of one shape in a row that are named; LLMs have dozens of them


def sample_text(workload: Workload, outputs: Mapping[str, SampleLayout]) -> str:
    """``x [7, 5] → y [3]; batch axis x:1 y:0``: what one sample has of each input and output.

    Args:
        workload: The samples.
        outputs: Where they lie in each output, as the profile has found.
    """
    if not workload.inputs:
        return f"{_all(workload)} → {_made(outputs)}; all of it in one run"
    several = {name: values.shape[1:] for name, values in workload.inputs.items()}
    axes = {name: role.axis for name, role in workload.reading.inputs.items()}
    fed = {name: axis for name, axis in axes.items() if axis is not None and name in several}
    given = _listed({name: str(list(shape)) for name, shape in several.items()})
    steps = "" if workload.steps is None else f"a sequence of {workload.steps} steps, "
    parts = [f"{steps}{given} → {_made(outputs)}"]
    if fed:
        parts.append(f"batch axis {_listed({**fed, **_placed(workload, outputs)}, ':', ' ')}")
    else:
        parts.append("no batch axis, a run each")
    if fed and len(fed) < len(several):
        rest = ", ".join(name for name in several if name not in fed)
        parts.append(f"one a run: {rest}")
    if workload.constants:
        parts.append(f"the same for all: {_all(workload)}")
    return "; ".join(parts)


def _all(workload: Workload) -> str:
    """Inputs that are the same in every run."""
    same = workload.first_step().constants
    return _listed({name: str(list(values.shape)) for name, values in same.items()}) or "nothing"


def _made(outputs: Mapping[str, SampleLayout]) -> str:
    return _listed({name: str(list(_own(layout))) for name, layout in outputs.items()})


def _placed(workload: Workload, outputs: Mapping[str, SampleLayout]) -> dict[str, int]:
    """Batch axes of outputs in single runs."""
    stream = workload.stream
    return {
        name: layout.batch_axis - (stream is not None and name not in stream.state_outputs)
        for name, layout in outputs.items()
        if layout.batch_axis is not None
    }


def _listed(facts: Mapping[str, object], mark: str = " ", divider: str = ", ") -> str:
    """``x [7, 5], y [3]``; of many in a row that are alike the first."""
    told = []
    for fact, alike in itertools.groupby(facts.items(), lambda each: each[1]):
        names = [name for name, _ in alike]
        if len(names) > _ALIKE:
            told.append(f"{names[0]}{mark}{fact} and {len(names) - 1} alike")
        else:
            told += [f"{name}{mark}{fact}" for name in names]
    return divider.join(told)


def _own(layout: SampleLayout) -> tuple[int, ...]:
    """The shape of one sample's part, without a batch axis of one row."""
    axis = layout.batch_axis
    if axis is None or layout.rows != 1:
        return layout.shape
    return (*layout.shape[:axis], *layout.shape[axis + 1 :])
