"""A freed batch: proof that a model with any number of samples is the file's own, bit for bit."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import closing
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from onnxfi.engine.runtime import EngineSettings, RunFailedError, Session, Watchdog, same
from onnxfi.errors import BackendError
from onnxfi.graph import Model
from onnxfi.workload import Workload

_FEW = 3  # samples, at least


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
    # Of a batch of one, three samples: whether they may share a run shows in no less.
    count = rows * -(-_FEW // rows)
    feeds = workload.batch(0, min(count, workload.samples), count)
    rng = np.random.default_rng(rows)
    other = {
        name: _changed(value, rng) if name in workload.inputs else value
        for name, value in feeds.items()
    }
    with closing(Watchdog()) as watchdog:
        try:
            own, free = (Session(each, settings, watchdog) for each in (model, freed))
            for given in (feeds, other):
                reason = _against(own, free, _Feeds(given, frozenset(workload.inputs), count), rows)
                if reason is not None:
                    return reason
        except (BackendError, RunFailedError) as error:
            return str(error)
    return None


@dataclass(frozen=True, slots=True)
class _Feeds:
    """Inputs of some samples, and which of them have a row a sample."""

    values: Mapping[str, NDArray[Any]]
    batched: frozenset[str]
    count: int

    def rows(self, low: int, high: int) -> dict[str, NDArray[Any]]:
        """Those of some samples."""
        values = self.values.items()
        return {name: value[low:high] if name in self.batched else value for name, value in values}


def _against(own: Session, free: Session, feeds: _Feeds, rows: int) -> str | None:
    """Why the free batch gives something else than the file's own session; None if it does not."""
    whole = free.run(feeds.rows(0, feeds.count))
    for low in range(0, feeds.count, rows):
        for name, value in own.run(feeds.rows(low, low + rows)).items():
            each, left = divmod(len(value) if value.ndim else 0, rows)
            if left or not each:
                return f"output {name!r} has no samples on its first axis"
            if not same(value, whole[name][low * each : (low + rows) * each]):
                return f"output {name!r} has other bits than with the batch in the file"
    for low, high in ((0, 1), (1, _FEW)):
        for name, value in free.run(feeds.rows(low, high)).items():
            each = len(whole[name]) // feeds.count
            if not same(value, whole[name][low * each : high * each]):
                return f"output {name!r} of a sample depends on how many are in the run"
    return None


def _changed(value: NDArray[Any], rng: np.random.Generator) -> NDArray[Any]:
    """Other samples of the same kind: floats scaled, and all of them in another order."""
    order = rng.permutation(len(value))
    if value.dtype.kind != "f":
        return value[order]
    return (value[order] * rng.uniform(0.5, 1.5)).astype(value.dtype)
