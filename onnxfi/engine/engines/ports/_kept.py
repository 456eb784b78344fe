"""What a campaign keeps on a device: the workload's batches, and the flipper of its tensors."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cached_property

from onnxfi.engine.golden import EngineContext
from onnxfi.engine.runtime import DeviceMemory, Feed, Flipper, open_flipper, windows
from onnxfi.inject import BatchWindow


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
