"""Handing work units to an executor, and surviving the workers that a fault kills.

A worker that dies takes every unit in flight with it, and nobody can tell which scenario did it.
Those units are run again apart from the others, in halves and halves of halves, until the
scenarios are left that kill a process which runs nothing else: these have the outcome
``due_crash``. A process that dies before it was given a scenario is broken machinery, and never
an outcome.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from concurrent.futures import FIRST_COMPLETED, BrokenExecutor, Executor, Future, wait

from onnxfi.campaign._isolate import (
    ExecutorFactory,
    Finished,
    RunUnit,
    Unit,
    finished,
    run_suspects,
)
from onnxfi.outcome import InjectionRecord


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
