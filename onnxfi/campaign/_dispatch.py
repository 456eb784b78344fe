"""Handing work units to an executor, and surviving the workers that a fault kills.

A worker that dies takes every unit in flight with it, and nobody can tell which scenario did it.
The scenarios of those units are therefore run again, each alone in a fresh process that has first
shown that it works; one that kills that process too, twice, has the outcome ``due_crash``. A
process that dies before it was given a scenario is broken machinery, and never an outcome.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, BrokenExecutor, Executor, Future, wait
from dataclasses import dataclass

from onnxfi.errors import BackendError
from onnxfi.outcome import InjectionRecord

Unit = Sequence[int]
RunUnit = Callable[[Unit], "list[InjectionRecord]"]
ExecutorFactory = Callable[[int], Executor]

ATTEMPTS = 2


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


class InlineExecutor(Executor):
    """Runs a call at once, in the calling process: ``workers=1``."""

    def submit(self, fn, /, *args, **kwargs):  # type: ignore[no-untyped-def]
        """Run the call and return its finished future."""
        future: Future[object] = Future()
        try:
            future.set_result(fn(*args, **kwargs))
        except Exception as error:
            future.set_exception(error)
        return future


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
                finished = wait(flying, return_when=FIRST_COMPLETED).done
                broken = [f for f in finished if isinstance(f.exception(), BrokenExecutor)]
                if broken:
                    yield from self._keep_whole(flying)
                    suspects = [number for unit in flying.values() for number in unit]
                    yield Finished(unit=suspects, error=broken[0].exception(), repeated=True)
                    flying.clear()
                    executor.shutdown(wait=False, cancel_futures=True)
                    yield from self._one_by_one(suspects)
                    executor = self._factory(self._workers)
                    continue
                for future in finished:
                    yield _finished(flying.pop(future), future)
        finally:
            # Running units are waited for: workers must not outlive the campaign.
            executor.shutdown(wait=True, cancel_futures=True)

    def _keep_whole(self, flying: dict[Future[list[InjectionRecord]], Unit]) -> Iterator[Finished]:
        """Yield the units that had come back before the crash and forget them."""
        for future in list(flying):
            if future.done() and not isinstance(future.exception(), BrokenExecutor):
                yield _finished(flying.pop(future), future)

    def _one_by_one(self, suspects: Sequence[int]) -> Iterator[Finished]:
        for number in suspects:
            for attempt in range(ATTEMPTS):
                with contextlib.closing(_Solo(self._factory)) as solo:
                    finished = solo.run(self._run_unit, (number,))
                if not finished.crashed or attempt == ATTEMPTS - 1:
                    yield finished
                    break


def _submitted(executor: Executor, run_unit: RunUnit, unit: Unit) -> Future[list[InjectionRecord]]:
    """Submit; to a pool that broke meanwhile too, whose refusal then counts as the unit's end."""
    try:
        return executor.submit(run_unit, unit)
    except BrokenExecutor as error:
        refused: Future[list[InjectionRecord]] = Future()
        refused.set_exception(error)
        return refused


class _Solo:
    """A pool of one worker for one suspect."""

    def __init__(self, factory: ExecutorFactory) -> None:
        self._executor = factory(1)

    def run(self, run_unit: RunUnit, unit: Unit) -> Finished:
        try:
            # An empty unit loads the campaign and runs golden.
            self._executor.submit(run_unit, ()).result()
        except BrokenExecutor as error:
            raise BackendError(
                "worker processes die before they are given any fault; what was done is stored, "
                "run again with one worker to see why (or with fewer, if memory is short; a Python "
                "script that asks for workers must do so under `if __name__ == '__main__':`)"
            ) from error
        future = self._executor.submit(run_unit, unit)
        try:
            future.result()
        except BrokenExecutor as error:
            return Finished(unit=unit, error=error, crashed=True)
        except Exception:
            return _finished(unit, future)
        return _finished(unit, future)

    def close(self) -> None:
        self._executor.shutdown(wait=True, cancel_futures=True)


def _finished(unit: Unit, future: Future[list[InjectionRecord]]) -> Finished:
    error = future.exception()
    if error is not None:
        return Finished(unit=unit, error=error)
    return Finished(unit=unit, records=tuple(future.result()))
