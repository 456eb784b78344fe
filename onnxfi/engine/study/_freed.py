"""A freed batch: proof that a model with any number of samples is the file's own, bit for bit."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import closing
from typing import Any

import numpy as np
from numpy.typing import NDArray

from onnxfi.engine.runtime import EngineSettings, RunFailedError, Session, Watchdog, same
from onnxfi.errors import BackendError
from onnxfi.graph import Model
from onnxfi.outcome import RunOutputs
from onnxfi.workload import Workload


def freed_differs(
    model: Model, freed: Model, workload: Workload, rows: int, settings: EngineSettings
) -> str | None:
    """Why a model with a freed batch is not the model of the file; None if it is.

    Both run the first samples, and then the same with their values changed, in a batch of the
    file's size, and must give the same bits.

    Args:
        model: The model of the file, whose batch is fixed.
        freed: The model with a free batch.
        workload: The samples.
        rows: The size of the batch in the file.
        settings: How models are run.
    """
    real = min(rows, workload.samples)
    feeds = workload.batch(0, real, rows)
    rng = np.random.default_rng(rows)
    other = {
        name: _changed(value, rng) if name in workload.inputs else value
        for name, value in feeds.items()
    }
    with closing(Watchdog()) as watchdog:
        try:
            sessions = [Session(each, settings, watchdog) for each in (model, freed)]
            for given in (feeds, other):
                own, found = (session.run(given) for session in sessions)
                for name, value in own.items():
                    if not same(value, found[name]):
                        return f"output {name!r} has other bits than with the batch in the file"
                reason = _depends(sessions[1], found, workload, given, rows)
                if reason is not None:
                    return reason
        except (BackendError, RunFailedError) as error:
            return str(error)
    return None


def _depends(
    freed: Session,
    whole: RunOutputs,
    workload: Workload,
    feeds: Mapping[str, NDArray[Any]],
    rows: int,
) -> str | None:
    """Why some samples alone don't give what they give in a whole batch; None if they do."""
    for low, high in ((0, 1), (rows // 2, rows // 2 + 3)):
        high = min(high, rows)
        some = {
            name: value[low:high] if name in workload.inputs else value
            for name, value in feeds.items()
        }
        found = freed.run(some)
        for name, value in whole.items():
            each, left = divmod(len(value) if value.ndim else 0, rows)
            if left or not each:
                return f"output {name!r} has no samples on its first axis"
            if not same(found[name], value[low * each : high * each]):
                return f"output {name!r} of a sample depends on how many are in the run"
    return None


def _changed(value: NDArray[Any], rng: np.random.Generator) -> NDArray[Any]:
    """Other samples of the same kind: floats scaled, and all of them in another order."""
    order = rng.permutation(len(value))
    if value.dtype.kind != "f":
        return value[order]
    return (value[order] * rng.uniform(0.5, 1.5)).astype(value.dtype)
