"""What a sample is, in one line."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from onnxfi.faults import SampleLayout
from onnxfi.workload._workload import Workload


def sample_text(workload: Workload, outputs: Mapping[str, SampleLayout]) -> str:
    """``x [7, 5] → y [3]; batch axis x:1 y:0``: what one sample has of each input and output.

    Args:
        workload: The samples.
        outputs: Where they lie in each output, as the profile has found.
    """
    several = {name: values.shape[1:] for name, values in workload.inputs.items()}
    given = ", ".join(_sized(name, shape) for name, shape in several.items()) or "nothing"
    made = ", ".join(_sized(name, _own(layout)) for name, layout in outputs.items())
    axes = {name: role.axis for name, role in workload.reading.inputs.items()}
    fed = {name: axis for name, axis in axes.items() if axis is not None and name in several}
    parts = [f"{given} → {made}"]
    if workload.steps is not None:
        parts[0] = f"a sequence of {workload.steps} steps, {parts[0]}"
    stepped = () if workload.stream is None else workload.stream.state_outputs
    shown = {
        name: layout.batch_axis - (workload.stream is not None and name not in stepped)
        for name, layout in outputs.items()
        if layout.batch_axis is not None
    }
    if fed:
        listed = " ".join(f"{name}:{axis}" for name, axis in {**fed, **shown}.items())
        parts.append(f"batch axis {listed}")
    else:
        parts.append("no batch axis, a run each")
    if fed and len(fed) < len(several):
        rest = ", ".join(name for name in several if name not in fed)
        parts.append(f"one a run: {rest}")
    if workload.constants:
        same = ", ".join(_sized(name, a.shape) for name, a in workload.constants.items())
        parts.append(f"the same for all: {same}")
    return "; ".join(parts)


def _own(layout: SampleLayout) -> tuple[int, ...]:
    """The shape of one sample's part, without a batch axis of one row."""
    axis = layout.batch_axis
    if axis is None or layout.rows != 1:
        return layout.shape
    return (*layout.shape[:axis], *layout.shape[axis + 1 :])


def _sized(name: str, shape: Sequence[int]) -> str:
    return f"{name} {list(shape)}"
