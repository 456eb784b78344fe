"""Running a model that keeps state over a sequence: a run a step, states fed back."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from onnxfi.engine.runtime._device import DeviceTensor, Feed, StepFeed, Stepped
from onnxfi.outcome import RunOutputs
from onnxfi.workload import StateStream

StepRun = Callable[[Mapping[str, Feed], Sequence[str]], RunOutputs]
"""Runs the model once: feeds, names of the outputs wanted."""


def run_sequence(
    run: StepRun, stream: StateStream, feeds: Mapping[str, StepFeed], names: Sequence[str]
) -> dict[str, NDArray[Any]]:
    """Run a model over the steps of a sequence.

    Args:
        run: Runs it once.
        stream: Which outputs are fed back.
        feeds: The stream's inputs with steps on axis 0, states with their initial values; other
            inputs are the same in every step, unless they are :class:`Stepped`.
        names: Outputs wanted.

    Returns:
        For each of them its values in all steps, stacked on a new axis 0; of a state the last. An
        output whose shape differs from step to step comes as one flat array of all steps.
    """
    first = feeds[stream.inputs[0]]
    assert not isinstance(first, DeviceTensor | Stepped)
    wanted = list(dict.fromkeys((*names, *stream.state_outputs)))
    now: dict[str, Feed] = {
        name: values for name, values in feeds.items() if not isinstance(values, Stepped)
    }
    # What differs from step to step is put in at the start of each.
    found: dict[str, list[NDArray[Any]]] = {name: [] for name in names}
    for step in range(len(first)):
        for name, values in feeds.items():
            if isinstance(values, Stepped):
                now[name] = values.at(step)
            elif name in stream.inputs:
                assert not isinstance(values, DeviceTensor)
                now[name] = values[step, ...]
        outputs = run(now, wanted)
        for name, given in stream.state:
            now[given] = outputs[name]
        for name in names:
            if name in stream.state_outputs:
                found[name].clear()
            found[name].append(outputs[name])
    return {
        name: values[0] if name in stream.state_outputs else _stacked(values)
        for name, values in found.items()
    }


def _stacked(values: Sequence[NDArray[Any]]) -> NDArray[Any]:
    if len({value.shape for value in values}) == 1:
        return np.stack(values)
    return np.concatenate([value.reshape(-1) for value in values])
