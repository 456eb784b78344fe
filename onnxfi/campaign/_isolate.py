"""Finding the scenario that kills its process, and saving all others."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import BrokenExecutor, Executor, Future
from dataclasses import dataclass

from onnxfi.errors import BackendError
from onnxfi.outcome import InjectionRecord

Unit = Sequence[int]
RunUnit = Callable[[Unit], "list[InjectionRecord]"]
ExecutorFactory = Callable[[int], Executor]

#: Times that a scenario must kill a process which was given nothing else.
DEATHS = 2
#: Processes in a row that must die while they load the campaign before the machinery is broken.
LOADS = 3


@dataclass(frozen=True, slots=True, kw_only=True)
class Finished:
    """A unit that came back: its records, or what went wrong with the machinery.

    Attributes:
        unit: The scenarios.
        records: Their records, if all went well.
        error: What went wrong, else None.
        crashed: Whether the scenarios killed their process again and again.
        repeated: Whether the unit is being run again, so that this is for the record only.
    """

    unit: Unit
    records: tuple[InjectionRecord, ...] = ()
    error: BaseException | None = None
    crashed: bool = False
    repeated: bool = False


def finished(unit: Unit, future: Future[list[InjectionRecord]]) -> Finished:
    """What has become of a unit whose future is done."""
    error = future.exception()
    if error is not None:
        return Finished(unit=unit, error=error)
    return Finished(unit=unit, records=tuple(future.result()))


def run_suspects(
    units: Sequence[Unit], run_unit: RunUnit, factory: ExecutorFactory
) -> Iterator[Finished]:
    """Run the units that were in flight when a worker died, one at a time in a single process.

    A unit that kills it is halved until one scenario is left, and that one must kill
    :data:`DEATHS` fresh processes to have crashed: what kills a process from outside, such as a
    system short of memory, hits the same scenario twice in a row only if that scenario is why.

    Raises:
        BackendError: A process died before it was given a scenario.
    """
    waiting = deque(units)
    deaths = 0
    process = _Process(factory)
    try:
        while waiting:
            unit = waiting.popleft()
            fresh = not process.used
            back = process.run(run_unit, unit)
            if not back.crashed:
                deaths = 0
                yield back
                continue
            process.close()
            process = _Process(factory)
            if len(unit) > 1:
                middle = len(unit) // 2
                waiting.extendleft((unit[middle:], unit[:middle]))
                continue
            deaths += fresh
            if deaths < DEATHS:
                waiting.appendleft(unit)
            else:
                deaths = 0
                yield back
    finally:
        process.close()


class _Process:
    """A pool of one worker.

    Attributes:
        used: Whether it was given scenarios.
    """

    def __init__(self, factory: ExecutorFactory) -> None:
        self._factory = factory
        self._executor = factory(1)
        self.used = False

    def run(self, run_unit: RunUnit, unit: Unit) -> Finished:
        if not self.used:
            self._load(run_unit)
        self.used = True
        future = self._executor.submit(run_unit, unit)
        if isinstance(future.exception(), BrokenExecutor):
            return Finished(unit=unit, error=future.exception(), crashed=True)
        return finished(unit, future)

    def _load(self, run_unit: RunUnit) -> None:
        """Load the campaign and run golden, which an empty unit does."""
        for _ in range(LOADS):
            try:
                self._executor.submit(run_unit, ()).result()
                return
            except BrokenExecutor as error:
                last = error
                self.close()
                self._executor = self._factory(1)
        raise BackendError(
            "worker processes die before they are given any fault; what was done is stored, "
            "run again with one worker to see why (or with fewer, if memory is short; a Python "
            "script that asks for workers must do so under `if __name__ == '__main__':`)"
        ) from last

    def close(self) -> None:
        self._executor.shutdown(wait=True, cancel_futures=True)
