"""Running a campaign: what is pending goes out in units, what comes back is stored at once."""

from __future__ import annotations

import functools
import logging
import time
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime

from onnxfi.campaign._blocks import UnitSizer, pending_in_order, site_keys
from onnxfi.campaign._campaign import OpenCampaign
from onnxfi.campaign._dispatch import Dispatcher, Finished, Unit
from onnxfi.campaign._folder import running
from onnxfi.campaign._stop import StopCheck, StopRequest
from onnxfi.campaign._store import ResultStore
from onnxfi.campaign._worker import WorkerKey, release_worker, run_unit
from onnxfi.campaign.executors import parse_executor, usual_executor
from onnxfi.engine import side_by_side
from onnxfi.errors import BackendError, OnnxFIError
from onnxfi.outcome import GraphUse, InjectionRecord, Outcome, OutcomeCounts, scenario_failed
from onnxfi.settings import RunOptions

_log = logging.getLogger(__name__)

UNIT_TARGET_S = 2.0
#: Where an engine shares work among the scenarios of a unit, longer ones share more.
SHARED_UNIT_TARGET_S = 10.0
RETRIES = 2


@dataclass(frozen=True, slots=True, kw_only=True)
class Progress:
    """How far a run has come: scenarios stored, in all, failed in this run, and seconds so far."""

    done: int
    done_before: int
    total: int
    failures: int
    elapsed_s: float


@dataclass(frozen=True, slots=True, kw_only=True)
class RunSummary:
    """What a run did; ``stopped`` says what ended it early, None if nothing is pending."""

    total: int
    done_before: int
    done_now: int
    stopped: str | None


def run_campaign(
    campaign: OpenCampaign,
    options: RunOptions | None = None,
    on_progress: Callable[[Progress], None] | None = None,
    stop: StopRequest | None = None,
) -> RunSummary:
    """Do what is pending; calling it again after an interruption loses and repeats nothing.

    Raises:
        CampaignLockedError: Another process is running the campaign.
        CampaignMismatchError: Something is pending, and rows could come out differently here.
        BackendError: The machinery failed on the same scenarios again and again.
    """
    options = options or RunOptions()
    with running(campaign.folder), campaign.open_store() as store:
        done = store.done()
        run = _PendingRun(campaign, options, store, stop or StopRequest(), len(done))
        if len(done) < campaign.total:
            campaign.check_surroundings()
            try:
                run.go(done, on_progress or _ignore)
            finally:
                release_worker()
        return run.summary()


def _ignore(_progress: Progress) -> None:
    return None


class _PendingRun:
    """One call of :func:`run_campaign`: counters, stop rules, care for finished units."""

    def __init__(
        self,
        campaign: OpenCampaign,
        options: RunOptions,
        store: ResultStore,
        stop: StopRequest,
        done_before: int,
    ) -> None:
        self._campaign = campaign
        self._options = options
        self._store = store
        self._stop = stop
        self._done_before = done_before
        self._done_now = 0
        self._failures = 0
        self._submitted = 0
        self._stopped: str | None = None
        self._started = time.monotonic()
        target_s = SHARED_UNIT_TARGET_S if side_by_side(campaign.plan.engine) else UNIT_TARGET_S
        pending = campaign.total - done_before
        self._sizer = UnitSizer(target_s, pending, options.workers)
        self._check = StopCheck(campaign, options.stop, store) if options.stop.active else None
        self._looked_at = -1
        self._retries: dict[Unit, int] = {}
        self._graphs = _GraphLog()
        self._again: list[Unit] = []

    def go(self, done: set[int], on_progress: Callable[[Progress], None]) -> None:
        plan = self._campaign.plan
        pending = pending_in_order(
            plan.scenarios, plan.block_size, done, site_keys(self._campaign.experiment().source)
        )
        unit_of = functools.partial(run_unit, _worker_key(self._campaign, self._options))
        chosen = self._options.executor
        if chosen is None:
            chosen = usual_executor(self._options.workers)
        factory = parse_executor(chosen) if isinstance(chosen, str) else chosen
        dispatcher = Dispatcher(unit_of, factory, self._options.workers)
        for finished in dispatcher.run(lambda: self._next(pending)):
            self._take(finished)
            on_progress(self._progress())

    def summary(self) -> RunSummary:
        total = self._campaign.total
        # A limit that was met with the last injection stopped nothing.
        complete = self._done_before + self._done_now == total
        return RunSummary(
            total=total,
            done_before=self._done_before,
            done_now=self._done_now,
            stopped=None if complete else self._stopped,
        )

    def _next(self, pending: Iterator[int]) -> Unit:
        if self._stop.requested:
            self._stopped = "signal"
            return ()
        if self._again:
            return self._again.pop()
        options = self._options
        elapsed = time.monotonic() - self._started
        if options.time_budget_s is not None and elapsed >= options.time_budget_s:
            self._stopped = "time-budget"
            return ()
        if self._enough():
            return ()
        unit = self._sizer.take(pending)
        if options.max_injections is not None:
            unit = unit[: options.max_injections - self._submitted]
            if not unit and self._submitted + self._done_before < self._campaign.total:
                self._stopped = "max-injections"
        self._submitted += len(unit)
        return unit

    def _enough(self) -> bool:
        """Whether the stop rule is content; it is asked when results have come in."""
        if self._check is not None and self._done_now != self._looked_at:
            self._looked_at = self._done_now
            self._stopped = self._check.reached(self._failures)
        return self._check is not None and self._stopped is not None

    def _take(self, finished: Finished) -> None:
        if finished.repeated:
            self._store.add_attempt(finished.unit, f"a worker died: {finished.error}")
        elif finished.crashed:
            self._store.add_attempt(finished.unit, f"its worker died: {finished.error}")
            self._add([_crash_record(number, self._campaign) for number in finished.unit])
        elif finished.error is not None:
            self._retry(finished)
        else:
            self._sizer.learn(len(finished.unit), sum(r.run_s for r in finished.records))
            self._add(finished.records)

    def _add(self, records: list[InjectionRecord] | tuple[InjectionRecord, ...]) -> None:
        self._store.add(records)
        self._graphs.note(records)
        self._done_now += len(records)
        golden, drop = self._campaign.plan.golden_correct, self._campaign.settings.drop
        self._failures += sum(scenario_failed(r.counts, golden, drop) for r in records)

    def _retry(self, finished: Finished) -> None:
        error = finished.error
        if isinstance(error, OnnxFIError | KeyboardInterrupt):
            raise error
        self._store.add_attempt(finished.unit, f"{type(error).__name__}: {error}")
        tries = self._retries.get(finished.unit, 0) + 1
        self._retries[finished.unit] = tries
        if tries > RETRIES:
            raise BackendError(
                f"scenarios {finished.unit[0]}..{finished.unit[-1]} failed {tries} times outside "
                f"the network ({type(error).__name__}: {error}); what was done is stored, "
                "run again with --debug for the traceback"
            ) from error
        self._again.append(finished.unit)

    def _progress(self) -> Progress:
        return Progress(
            done=self._done_before + self._done_now,
            done_before=self._done_before,
            total=self._campaign.total,
            failures=self._failures,
            elapsed_s=time.monotonic() - self._started,
        )


class _GraphLog:
    """Logs each graph once, when the first injection that ran in it comes in."""

    def __init__(self) -> None:
        self._logged: set[GraphUse] = set()

    def note(self, records: Iterable[InjectionRecord]) -> None:
        """Take note of injections."""
        for record in records:
            use = record.graph
            if use is None or use in self._logged:
                continue
            self._logged.add(use)
            other = ""
            if use.differing:
                other = f"; without faults it answers {use.differing} of {use.compared} otherwise"
            _log.info("scenario %d: graph %s: %s%s", record.scenario, use.graph, use.reason, other)


def _crash_record(number: int, campaign: OpenCampaign) -> InjectionRecord:
    plan = campaign.plan
    labelled = plan.golden_correct is not None
    return InjectionRecord(
        scenario=number,
        counts=OutcomeCounts.whole(Outcome.DUE_CRASH, plan.samples, labelled=labelled),
        run_s=0.0,
        worker="crashed",
        finished_at=datetime.now(UTC).isoformat(timespec="milliseconds"),
    )


def _worker_key(campaign: OpenCampaign, options: RunOptions) -> WorkerKey:
    return WorkerKey(
        folder=str(campaign.folder.path.absolute()),
        identity=campaign.document.identity,
        custom=campaign.custom,
        workers=options.workers,
        memory_limit_bytes=options.memory_limit_bytes,
        opened=campaign,
    )
