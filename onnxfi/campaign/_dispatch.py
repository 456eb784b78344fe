"""Handing work units to an executor, and surviving the workers that a fault kills.

A worker that dies takes every unit in flight with it, and nobody can tell which scenario did it.
Those units are run again apart from the others, in halves and halves of halves, until the
scenarios are left that kill a process which runs nothing else: these have the outcome
``due_crash``. A process that dies before it was given a scenario is broken machinery, and never
an outcome.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, BrokenExecutor, Executor, Future, wait
from dataclasses import dataclass

from onnxfi.errors import BackendError
from onnxfi.outcome import InjectionRecord
from onnxfi.settings import ExecutorFactory

Unit = Sequence[int]
RunUnit = Callable[[Unit], "list[InjectionRecord]"]

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


class Dispatcher:
    """Keeps an executor supplied with units and yields what comes back, in order of completion."""

    def __init__(self, run_unit: RunUnit, factory: ExecutorFactory, workers: int) -> None:
        self._run_unit = run_unit
        self._factory = factory
        self._workers = workers
        # One unit in reserve for each worker hides the way there and back.
        self._window = 1 if workers == 1 else 2 * workers

    def run(self, next_unit: Callable[[], Unit]) -> Iterator[Finished]:
        """Run units until all submitted ones are back and ``next_unit`` gives an empty one."""
        executor = self._factory(self._workers)
        flying: dict[Future[list[InjectionRecord]], Unit] = {}
        try:
            while True:
                # Asked again each time: what came back last may have to be tried once more.
                while len(flying) < self._window and (unit := next_unit()):
                    flying[_submitted(executor, self._run_unit, unit)] = unit
                if not flying:
                    return
                done = wait(flying, return_when=FIRST_COMPLETED).done
                broken = [f for f in done if isinstance(f.exception(), BrokenExecutor)]
                if broken:
                    yield from self._keep_whole(flying)
                    suspects = list(flying.values())
                    numbers = [number for unit in suspects for number in unit]
                    yield Finished(unit=numbers, error=broken[0].exception(), repeated=True)
                    flying.clear()
                    executor.shutdown(wait=False, cancel_futures=True)
                    yield from run_suspects(suspects, self._run_unit, self._factory)
                    executor = self._factory(self._workers)
                    continue
                for future in done:
                    yield finished(flying.pop(future), future)
        finally:
            # Running units are waited for: workers must not outlive the campaign.
            executor.shutdown(wait=True, cancel_futures=True)

    def _keep_whole(self, flying: dict[Future[list[InjectionRecord]], Unit]) -> Iterator[Finished]:
        """Yield the units that had come back before the crash and forget them."""
        for future in list(flying):
            if future.done() and not isinstance(future.exception(), BrokenExecutor):
                yield finished(flying.pop(future), future)


def _submitted(executor: Executor, run_unit: RunUnit, unit: Unit) -> Future[list[InjectionRecord]]:
    """Submit; to a pool that broke meanwhile too, whose refusal then counts as the unit's end."""
    try:
        return executor.submit(run_unit, unit)
    except BrokenExecutor as error:
        refused: Future[list[InjectionRecord]] = Future()
        refused.set_exception(error)
        return refused
