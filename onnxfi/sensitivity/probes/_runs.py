"""Shift runs: many shifts side by side in the rows of a run, and what share of answers is lost."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from onnxfi.bits import format_of, has_format
from onnxfi.engine import (
    EngineContext,
    RunFailedError,
    RunTimedOutError,
    Session,
    Watchdog,
    once,
    samples_of,
)
from onnxfi.graph import insert, raise_opset
from onnxfi.inject import BatchWindow
from onnxfi.outcome import RunOutputs, at_stake, lost_shares
from onnxfi.sensitivity.probes._ports import ShiftedRows, ShiftPort, opset_needed, shift_groups
from onnxfi.sensitivity.scores import Cost

# Time per sample is lowest between 32 and 128 samples a run, and what does not depend on their
# number (feeding all ports) counts for less in the largest of them.
_ROWS = 128
_RUN_BYTES = 256 << 20
# Shifts of whole channels that lose so much of the first samples lose more than enough of all:
# the others would not change their scores. Where shifts lose nothing there is no such end,
# since the samples that do lose may come last.
_FIRST = 8
_ENOUGH = 0.5


class Shift(NamedTuple):
    """One channel of a target shifted, in all calibration samples.

    Attributes:
        port: Which port.
        channel: Which channel of its target.
        amount: By how much; NaN overwrites it with NaN.
    """

    port: int
    channel: int
    amount: float


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class _Rows:
    """Rows of a run: which shift each has, and which calibration sample it is."""

    shift: NDArray[np.int64]
    sample: NDArray[np.int64]

    def __getitem__(self, part: slice) -> _Rows:
        return _Rows(shift=self.shift[part], sample=self.sample[part])

    def __len__(self) -> int:
        return len(self.shift)

    def filled(self, size: int) -> _Rows:
        """The same with the last row repeated: what is not counted must not disturb, either."""
        last = np.minimum(np.arange(size), len(self) - 1)
        return _Rows(shift=self.shift[last], sample=self.sample[last])


class ShiftRuns:
    """A session of a model with shift ports, and what it answers without a shift.

    Args:
        context: Model, calibration samples, profile, settings and criterion.
        ports: The ports to open.
        watchdog: Ends runs that take too long.

    Attributes:
        cost: What has been run beyond the fault-free runs.

    Raises:
        GoldenError: The model fails on the samples.
        BackendError: onnxruntime refuses the model with the ports.
        UnsupportedModelError: The model can't be raised to an opset that ports need.
    """

    def __init__(
        self, context: EngineContext, ports: Sequence[ShiftPort], watchdog: Watchdog
    ) -> None:
        self._context = context
        self._ports = tuple(ports)
        model = raise_opset(context.model, opset_needed(ports))
        groups = [group for port in ports for group in shift_groups(model, port)]
        self._session = Session(insert(model, groups), context.settings, watchdog)
        self._disarmed = {n: each for port in ports for n, each in port.disarmed().items()}
        self._most = rows_in_a_run(context)
        self._first = _FIRST if context.workload.samples >= 2 * _FIRST else 0
        self._windows = _windows(context, self._most, self._first)
        self._golden = tuple(
            once(self._session, context.workload, window, self._disarmed)
            for window in self._windows
        )
        self._stake = [
            self._held(window, golden)
            for window, golden in zip(self._windows, self._golden, strict=True)
        ]
        self.cost = Cost()

    def lost(self, shifts: Sequence[Shift]) -> NDArray[np.float64]:
        """Share of the calibration samples' answers that each shift costs, float64 (shifts,).

        With labels it is the drop of the accuracy, at least 0. Shifts of one port
        should follow each other: the fewer ports are armed in a run, the less is fed. A whole
        channel that loses half of the first 8 samples is not tried on the others.
        """
        total, seen = np.zeros(len(shifts)), np.zeros(len(shifts))
        left = np.arange(len(shifts))
        for window, golden, held in zip(self._windows, self._golden, self._stake, strict=True):
            chosen = [shifts[k] for k in left.tolist()]
            total[left] += self._in_window(chosen, window, golden)
            seen[left] += np.count_nonzero(held)
            if window.stop == self._first:
                so_far = total[left] / np.maximum(seen[left], 1)
                left = left[[self._open(*each) for each in zip(chosen, so_far, strict=True)]]
        return np.maximum(total / np.maximum(seen, 1), 0.0)

    def _open(self, shift: Shift, lost: float) -> bool:
        """Whether more samples are needed to know what a shift loses."""
        return not self._ports[shift.port].target.whole or lost < _ENOUGH

    def _held(self, window: BatchWindow, golden: RunOutputs) -> NDArray[np.bool_]:
        """Which samples of a window have an answer to lose."""
        context, labels = self._context, self._context.workload.labels
        mine = None if labels is None else labels[window.start : window.stop]
        return at_stake(golden, context.profile.outputs, context.criterion, mine, window.samples)

    def _in_window(
        self, shifts: Sequence[Shift], window: BatchWindow, golden: RunOutputs
    ) -> NDArray[np.float64]:
        """What each shift loses of the samples of a window, summed."""
        total = np.zeros(len(shifts))
        for part in self._together(shifts, max(1, self._most // window.samples)):
            each = np.arange(part.start, part.stop)
            rows = _Rows(
                shift=np.repeat(each, window.samples),
                sample=np.tile(np.arange(window.start, window.stop), len(each)),
            )
            found = self._attempt(shifts, rows, window.start, golden)
            total[part] = found.reshape(len(each), window.samples).sum(axis=1)
        return total

    def _together(self, shifts: Sequence[Shift], most: int) -> Iterator[slice]:
        """Parts of the shifts that share a run; what all samples of a run see runs alone."""
        start = 0
        while start < len(shifts):
            stop = min(start + most, len(shifts))
            alone = (k for k in range(start, stop) if self._ports[shifts[k].port].shared)
            first = next(alone, stop)
            stop = start + 1 if first == start else first
            yield slice(start, stop)
            start = stop

    def _attempt(
        self, shifts: Sequence[Shift], rows: _Rows, first: int, golden: RunOutputs
    ) -> NDArray[np.float64]:
        """What is lost in each row; rows of a run that gives no outputs are run in smaller ones."""
        size = self._context.profile.fixed_batch or len(rows)
        labels, filled = self._context.workload.labels, rows.filled(size)
        profile = self._context.profile
        self.cost += Cost(samples=len(rows), runs=1)
        faulty: RunOutputs | None = None
        try:
            found = self._session.run({**self._samples(filled), **self._armed(shifts, filled)})
        except RunFailedError as error:
            hung = isinstance(error, RunTimedOutError) and len(np.unique(rows.shift)) == 1
            if not hung and len(rows) > 1:
                half = len(rows) // 2
                parts = (rows[:half], rows[half:])
                return np.concatenate(
                    [self._attempt(shifts, each, first, golden) for each in parts]
                )
        else:
            faulty = {name: found[name] for name in profile.outputs}
        place = filled.sample - first
        return lost_shares(
            {name: samples_of(golden[name], each, place) for name, each in profile.outputs.items()},
            faulty,
            profile.outputs,
            self._context.criterion,
            None if labels is None else labels[rows.sample],
            samples=len(rows),
        )

    def _armed(self, shifts: Sequence[Shift], rows: _Rows) -> dict[str, NDArray[np.generic]]:
        """Feeds of all ports."""
        feeds = dict(self._disarmed)
        which = np.array([shifts[k].port for k in rows.shift])
        channel = np.array([shifts[k].channel for k in rows.shift])
        amount = np.array([shifts[k].amount for k in rows.shift])
        for number in np.unique(which):
            mine = np.flatnonzero(which == number)
            armed = ShiftedRows(
                row=mine, sample=rows.sample[mine], channel=channel[mine], amount=amount[mine]
            )
            feeds |= self._ports[number].armed(armed, len(rows))
        return feeds

    def _samples(self, rows: _Rows) -> Mapping[str, NDArray[Any]]:
        """Feeds of the model's own inputs."""
        workload = self._context.workload
        chosen = {name: values[rows.sample] for name, values in workload.inputs.items()}
        if workload.stacked:  # each run holds one sample, as often as the model wants it
            return replace(workload, inputs=chosen, labels=None).batch(0, 1)
        return replace(workload, inputs=chosen, labels=None, samples=len(rows)).batch(0, len(rows))


def _windows(context: EngineContext, most: int, first: int) -> tuple[BatchWindow, ...]:
    """Windows of the calibration samples; some first ones are in windows of their own."""
    samples, fixed = context.workload.samples, context.profile.fixed_batch
    starts = sorted({*range(0, first, most), *range(first, samples, most)})
    stops = [*starts[1:], samples]
    return tuple(
        BatchWindow(start=start, stop=stop, size=fixed or stop - start)
        for start, stop in zip(starts, stops, strict=True)
    )


def rows_in_a_run(context: EngineContext) -> int:
    """How many samples a run of shifts holds: one, where samples of a run are not independent."""
    profile, workload = context.profile, context.workload
    if workload.stacked or not (profile.batch_size > 1 or profile.rows_independent):
        return 1
    if profile.fixed_batch is not None:
        return profile.batch_size
    if context.settings.batch_size is not None:
        return context.settings.batch_size
    each = sum(
        layout.elements * _itemsize(context, name) for name, layout in profile.layouts.items()
    )
    return max(1, min(_ROWS, _RUN_BYTES // max(1, each)))


def _itemsize(context: EngineContext, name: str) -> int:
    element = context.model.index.element_of(name)
    return format_of(element).word.itemsize if element and has_format(element) else 0
