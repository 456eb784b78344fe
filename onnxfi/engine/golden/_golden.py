"""Golden runs: fault-free outputs, proven to be reproducible, made once and kept."""

from __future__ import annotations

import hashlib
import math
from collections.abc import Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from onnxfi.engine.golden._context import EngineContext
from onnxfi.engine.runtime import (
    DeviceTensor,
    EngineSettings,
    Feed,
    RunFailedError,
    Session,
    Watchdog,
    same,
)
from onnxfi.engine.study import Profile, windows
from onnxfi.errors import GoldenError
from onnxfi.faults import SampleLayout
from onnxfi.graph import Model, draws
from onnxfi.inject import BatchWindow
from onnxfi.outcome import BoundCriterion, OutcomeCounts, RunOutputs, classify, filled_up
from onnxfi.workload import Labels, Workload


class Batches(Protocol):
    """What a session is fed with: the workload, or values that were computed from it."""

    @property
    def source(self) -> str:
        """Where it comes from, for messages."""
        ...

    def batch(self, start: int, stop: int, pad_to: int | None = None) -> dict[str, NDArray[Any]]:
        """Feeds for samples ``start`` to ``stop - 1``, filled up to ``pad_to`` rows."""
        ...


class Feeds(Protocol):
    """The same, where it may be on a device."""

    @property
    def source(self) -> str:
        """Where it comes from, for messages."""
        ...

    def batch(self, start: int, stop: int, pad_to: int | None = None) -> Mapping[str, Feed]:
        """Feeds for samples ``start`` to ``stop - 1``, filled up to ``pad_to`` rows."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Golden:
    """Fault-free outputs of the untouched model over the workload.

    Attributes:
        windows: The runs.
        outputs: Outputs of each run, padding included.
        layouts: Where samples lie in each output.
        sha256: Hash over all outputs, hex.
    """

    windows: tuple[BatchWindow, ...]
    outputs: tuple[RunOutputs, ...]
    layouts: Mapping[str, SampleLayout]
    sha256: str

    def counts(self, criterion: BoundCriterion, labels: Labels | None = None) -> OutcomeCounts:
        """The golden run classified against itself: all masked, and how many answers are right."""
        total = OutcomeCounts(samples=0)
        for window, outputs in zip(self.windows, self.outputs, strict=True):
            part = None if labels is None else labels[window.start : window.stop]
            judged = {name: outputs[name] for name in self.layouts}
            total += classify(judged, judged, self.layouts, criterion, part, samples=window.samples)
        return total

    def samples(self, output: str) -> NDArray[Any]:
        """One output over the whole workload, for comparing decisions.

        Returns:
            Samples along axis 0: (samples * rows, ...). An output that exists once per run gives
            one entry a run; where its shape differs between runs, entries are filled up with
            zeros.

        Raises:
            GoldenError: Its rank or type differs between runs.
        """
        arrays = [outputs[output] for outputs in self.outputs]
        return joined(output, self.windows, arrays, self.layouts[output])


def joined(
    name: str,
    windows: Sequence[BatchWindow],
    arrays: Sequence[NDArray[Any]],
    layout: SampleLayout,
) -> NDArray[Any]:
    """A value of several runs in one array, padding cut off; as :meth:`Golden.samples`."""
    parts = []
    for window, value in zip(windows, arrays, strict=True):
        if layout.batch_axis is None:
            parts.append(value[np.newaxis])
            continue
        moved = np.moveaxis(value, layout.batch_axis, 0)
        parts.append(moved[: window.samples * layout.rows])
    if len({(part.ndim, part.dtype) for part in parts}) > 1:
        raise GoldenError(f"output {name!r} has another rank in some runs than in others")
    largest = np.max([part.shape[1:] for part in parts], axis=0).astype(int)
    return np.concatenate([filled_up(part, (len(part), *largest)) for part in parts])


def golden_run(
    model: Model,
    workload: Workload,
    profile: Profile,
    settings: EngineSettings,
    *,
    repeat: bool = True,
) -> Golden:
    """Run the untouched model over the workload, twice.

    Args:
        model: The model.
        workload: Its samples.
        profile: Batch size and layouts.
        settings: How it is run.
        repeat: False where another run of these samples is at hand to be compared with.

    Raises:
        GoldenError: A run raised or took too long, the runs differ in some bit, or running
            changed the inputs.
        BackendError: onnxruntime refuses the model.
    """
    cut = windows(workload.samples, profile.batch_size, profile.fixed_batch)
    with closing(Watchdog()) as watchdog:
        session = Session(model, settings, watchdog)
        run = twice if repeat else once
        outputs = tuple(run(session, workload, window, {}) for window in cut)
        if repeat and draws(model):
            # The first two runs of a Dropout may be the only ones that are alike.
            _check_same(outputs[0], once(session, workload, cut[0], {}), cut[0])
    return Golden(windows=cut, outputs=outputs, layouts=profile.outputs, sha256=_hash(outputs))


def once(
    session: Session,
    workload: Feeds,
    window: BatchWindow,
    extra: Mapping[str, Feed],
) -> RunOutputs:
    """One fault-free run.

    Args:
        session: The session, of the model or of an instrumented one.
        workload: The samples, or values computed from them.
        window: Which of them, and how many rows.
        extra: Inputs besides the workload's, disarmed.

    Raises:
        GoldenError: The run raised or took too long.
    """
    feeds = workload.batch(window.start, window.stop, window.size)
    try:
        return session.run({**feeds, **extra})
    except RunFailedError as error:
        raise GoldenError(
            f"the fault-free run fails on samples {window.start}..{window.stop - 1} of"
            f" {workload.source}: {error}"
        ) from error


def twice(
    session: Session,
    workload: Feeds,
    window: BatchWindow,
    extra: Mapping[str, Feed],
) -> RunOutputs:
    """Two fault-free runs that must give the same bits and leave the inputs alone.

    onnxruntime writes into the caller's arrays for some graphs, and models with random operators
    differ from run to run; neither can be compared with anything. Arguments as :func:`once`.

    Raises:
        GoldenError: They differ, or a run fails.
    """
    feeds = {**workload.batch(window.start, window.stop, window.size), **extra}
    before = _hash((feeds,))
    first = once(session, workload, window, extra)
    second = once(session, workload, window, extra)
    if _hash((feeds,)) != before:
        raise GoldenError("onnxruntime changed the inputs while running; runs can't be compared")
    _check_same(first, second, window)
    return first


def _check_same(first: RunOutputs, second: RunOutputs, window: BatchWindow) -> None:
    for name, value in first.items():
        if not same(value, second[name]):
            raise GoldenError(
                f"output {name!r} differs between two fault-free runs on the same samples"
                f" ({window.start}..{window.stop - 1}); the model is not reproducible, so no"
                f" fault's effect can be told (random operators?)"
            )


def _hash(groups: Sequence[Mapping[str, Feed]]) -> str:
    sha = hashlib.sha256()
    for arrays in groups:
        for name, feed in sorted(arrays.items()):
            values = feed.read() if isinstance(feed, DeviceTensor) else feed
            sha.update(f"{name}\0{values.dtype}\0{values.shape}\0".encode())
            if values.dtype.hasobject or values.dtype.kind == "U":
                sha.update("\0".join(map(str, values.ravel().tolist())).encode())
            elif values.size:
                sha.update(np.ascontiguousarray(values).reshape(-1).view(np.uint8).data)
    return sha.hexdigest()


class GoldenSession:
    """Golden outputs of one session.

    The first window runs twice and must give the same bits both times; what makes a model
    irreproducible (random operators) shows in any window.

    Args:
        session: The session.
        workload: The samples, or values computed from them.
        extra: Inputs besides the workload's, disarmed.
        kept_bytes: Size up to which outputs are kept, those of the first window always; windows
            beyond run again whenever they are asked for. None keeps all.
    """

    def __init__(
        self,
        session: Session,
        workload: Feeds,
        extra: Mapping[str, Feed],
        kept_bytes: int | None = None,
    ) -> None:
        self._room = math.inf if kept_bytes is None else kept_bytes
        self._session = session
        self._workload = workload
        self._extra = extra
        self._outputs: dict[BatchWindow, RunOutputs] = {}
        #: Bytes held, roughly. Weights count three times: in the model, as onnxruntime reads them,
        #: and as it packs them for its kernels. Kept up to date, since caches ask in every run.
        self.nbytes = 3 * session.nbytes + sum(value.nbytes for value in extra.values())

    def golden(self, window: BatchWindow) -> RunOutputs:
        """Fault-free outputs of a window.

        Raises:
            GoldenError: The run failed, or is not reproducible.
        """
        found = self._outputs.get(window)
        if found is None:
            run = once if self._outputs else twice
            found = run(self._session, self._workload, window, self._extra)
            size = sum(value.nbytes for value in found.values())
            if not self._outputs or size <= self._room:
                self._outputs[window] = found
                self._room -= size
                self.nbytes += size
        return found


def golden_room(context: EngineContext) -> int | None:
    """Bytes that golden outputs of a session may take: monitored values may be large."""
    return context.settings.memory_limit_bytes // 2 if context.monitors else None
