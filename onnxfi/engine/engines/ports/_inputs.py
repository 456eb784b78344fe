"""The extra inputs of an instrumented model, disarmed and armed, on the host or on a device."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Protocol

import numpy as np

from onnxfi.bits import Words
from onnxfi.engine.golden import EngineContext
from onnxfi.engine.runtime import (
    DeviceMemory,
    DeviceTensor,
    Feed,
    Flipper,
    Patch,
    RunFailedError,
    StepFeed,
    open_flipper,
)
from onnxfi.engine.study import windows
from onnxfi.errors import BackendError
from onnxfi.faults import FaultGroup, Scenario
from onnxfi.inject import (
    BatchWindow,
    Instrumented,
    Lift,
    armed_feeds,
    disarmed_feeds,
    whole_columns,
)


class KeptBatches:
    """A workload whose batches go to the device once and stay there.

    As many are kept as half the memory limit allows, the first ones; the others, and samples that
    run singly after a run that failed, are fed from the host.

    Args:
        context: The workload, and how it is cut into runs.
        memory: Where to.
    """

    def __init__(self, context: EngineContext, memory: DeviceMemory) -> None:
        self._workload = context.workload
        self._memory = memory
        profile, workload = context.profile, context.workload
        regular = windows(workload.samples, profile.batch_size, profile.fixed_batch)
        fed = workload.batch(regular[0].start, regular[0].stop, regular[0].size)
        each = sum(values.nbytes for name, values in fed.items() if name in workload.inputs)
        room = context.settings.memory_limit_bytes // 2
        self._windows = frozenset(regular[: room // each if each else None])
        self._constants: dict[str, Feed] = {}
        self._kept: dict[BatchWindow, Mapping[str, Feed]] = {}
        #: Bytes held, once all that are to be kept are there.
        self.nbytes = each * len(self._windows)

    @property
    def source(self) -> str:
        """Where the samples come from."""
        return self._workload.source

    def batch(self, start: int, stop: int, pad_to: int | None = None) -> Mapping[str, Feed]:
        """Feeds for samples ``start`` to ``stop - 1``. Not to be written to.

        Raises:
            BackendError: The device has no room.
        """
        window = BatchWindow(start=start, stop=stop, size=pad_to or stop - start)
        kept = self._kept.get(window)
        if kept is not None:
            return kept
        fed = self._workload.batch(start, stop, pad_to)
        for name in self._workload.constants:
            if name not in self._constants:
                self._constants[name] = self._memory.put(fed[name])
        if window not in self._windows:
            return {**fed, **self._constants}
        samples = {name: self._memory.put(fed[name]) for name in self._workload.inputs}
        self._kept[window] = {**self._constants, **samples}
        return self._kept[window]

    @property
    def held(self) -> int:
        """Batches that lie on the device now."""
        return len(self._kept)

    def clear(self) -> None:
        """Let go of the device's memory; batches asked for later go up again."""
        self._kept.clear()
        self._constants.clear()


class Kept:
    """Everything that the sessions of one engine share on a device.

    Args:
        context: Model, workload and settings.
        memory: The device's memory.
    """

    def __init__(self, context: EngineContext, memory: DeviceMemory) -> None:
        self._context = context
        self.memory = memory
        self.batches = KeptBatches(context, memory)

    @cached_property
    def flipper(self) -> Flipper:
        """Changes bytes of tensors; started when the first is lifted."""
        return open_flipper(self._context.settings, self.memory)


class ArmedInputs(Protocol):
    """A scenario at the extra inputs of a model."""

    def fed(self, window: BatchWindow) -> AbstractContextManager[Mapping[str, StepFeed]]:
        """All extra inputs of a run; they hold the faults inside the ``with`` block."""
        ...


class Inputs(Protocol):
    """The extra inputs of an instrumented model.

    Attributes:
        disarmed: With no fault in them.
    """

    disarmed: Mapping[str, Feed]

    def arm(self, scenario: Scenario) -> ArmedInputs:
        """Get a scenario ready to run.

        Raises:
            FaultError: It has a fault on a site that is not open, an index out of range, or a
                fault bound to one sample where that makes no sense (here or in a run).
        """
        ...


def open_inputs(
    instrumented: Instrumented, words: Mapping[str, Words], kept: Kept | None
) -> Inputs:
    """The extra inputs of a model, on the host or (``kept``) on a device.

    Args:
        instrumented: The model.
        words: Fault-free words of its lifted tensors.
        kept: What is on the device; None for the host.

    Raises:
        BackendError: The device has no room.
    """
    if kept is None:
        return HostInputs(instrumented, words)
    return DeviceInputs(instrumented, words, kept)


class HostInputs:
    """Inputs in the host's memory: a faulty tensor is a copy of the clean one.

    Args:
        instrumented: The model.
        words: Fault-free words of its lifted tensors.
    """

    def __init__(self, instrumented: Instrumented, words: Mapping[str, Words]) -> None:
        self._instrumented = instrumented
        self._words = words
        self.disarmed: Mapping[str, Feed] = disarmed_feeds(instrumented, words)

    def arm(self, scenario: Scenario) -> ArmedInputs:
        """Get a scenario ready to run."""
        return _OnHost(self._instrumented, self._words, self.disarmed, scenario)


class _OnHost:
    def __init__(
        self,
        instrumented: Instrumented,
        words: Mapping[str, Words],
        disarmed: Mapping[str, Feed],
        scenario: Scenario,
    ) -> None:
        self._instrumented = instrumented
        self._words = words
        self._disarmed = disarmed
        self._scenario = scenario
        self._bound = any(group.sample is not None for group in scenario.groups)
        self._feeds: dict[BatchWindow | int, Mapping[str, Feed]] = {}

    @contextmanager
    def fed(self, window: BatchWindow) -> Iterator[Mapping[str, Feed]]:
        # Faults that are there for every sample give the same feeds for windows of one size.
        key = window if self._bound else window.size
        if key not in self._feeds:
            self._feeds[key] = armed_feeds(
                self._instrumented, self._scenario, window=window, stored_words=self._words
            )
        yield {**self._disarmed, **self._feeds[key]}


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class _Change:
    """What a scenario does to one lifted tensor, and what undoes it."""

    tensor: DeviceTensor
    faulty: Patch
    clean: Patch


class DeviceInputs:
    """Inputs on a device: lifted tensors stay there, and k elements change for the length of a run.

    The elements are put back from the host's words, so that what a run sees never depends on the
    runs before it. Indices and masks of ports are fed by the host, k elements each.

    Args:
        instrumented: The model.
        words: Fault-free words of its lifted tensors.
        kept: What is on the device.
    """

    def __init__(self, instrumented: Instrumented, words: Mapping[str, Words], kept: Kept) -> None:
        self._words = words
        self._kept = kept
        self._lifts = {lift.site.name: lift for lift in instrumented.lifts}
        lifted = {lift.input_name for lift in instrumented.lifts}
        self._ports = HostInputs(replace(instrumented, lifts=()), {})
        self.disarmed: Mapping[str, Feed] = {
            name: kept.memory.put(values) if name in lifted else values
            for name, values in disarmed_feeds(instrumented, words).items()
        }
        self._changed: list[_Change] = []

    def arm(self, scenario: Scenario) -> ArmedInputs:
        """Get a scenario ready to run."""
        stored = [group for group in scenario.groups if group.site in self._lifts]
        computed = tuple(group for group in scenario.groups if group.site not in self._lifts)
        changes = [self._change(group, self._lifts[group.site]) for group in stored if len(group)]
        ports = self._ports.arm(replace(scenario, groups=computed))
        return _OnDevice(self, changes, ports)

    @contextmanager
    def changed(self, changes: list[_Change]) -> Iterator[None]:
        """Change tensors inside the ``with`` block; afterwards they are what they were."""
        self._restore()
        try:
            for change in changes:
                self._changed.append(change)
                self._apply(change.tensor, change.faulty)
            yield
        finally:
            self._restore()

    def _restore(self) -> None:
        """Put back what was changed; what can't be put back now is when the next run starts."""
        while self._changed:
            change = self._changed[-1]
            self._apply(change.tensor, change.clean)
            self._changed.pop()

    def _apply(self, tensor: DeviceTensor, patch: Patch) -> None:
        try:
            self._kept.flipper.apply(tensor, patch)
        except RunFailedError as error:
            # It is ours, not the model's: it must never be counted as an outcome.
            raise BackendError(
                f"no fault can be put into a tensor on the device: {error}"
            ) from error

    def _change(self, group: FaultGroup, lift: Lift) -> _Change:
        columns = whole_columns(group, lift.site)
        tensor = self.disarmed[lift.input_name]
        assert isinstance(tensor, DeviceTensor)  # only empty tensors are not
        element = lift.site.element
        clean = self._words[lift.site.name][columns.index].astype(np.uint64)
        masks = columns.and_mask, columns.xor_mask
        return _Change(
            tensor=tensor,
            faulty=Patch.of_elements(columns.index, masks, element),
            clean=Patch.of_elements(columns.index, (np.zeros_like(clean), clean), element),
        )


class _OnDevice:
    def __init__(self, inputs: DeviceInputs, changes: list[_Change], ports: ArmedInputs) -> None:
        self._inputs = inputs
        self._changes = changes
        self._ports = ports

    @contextmanager
    def fed(self, window: BatchWindow) -> Iterator[Mapping[str, StepFeed]]:
        with self._ports.fed(window) as armed, self._inputs.changed(self._changes):
            yield {**self._inputs.disarmed, **armed}
