"""What a worker does: open a campaign and its engine once, then run units with it."""

from __future__ import annotations

import functools
import os
import socket
import weakref
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from onnxfi.campaign._campaign import OpenCampaign, open_campaign
from onnxfi.campaign._experiment import CustomParts, chosen_metrics
from onnxfi.campaign._goldenfile import GoldenFile
from onnxfi.campaign._layout import planned_profile
from onnxfi.campaign._memory import worker_limit
from onnxfi.campaign._subject import engine_settings
from onnxfi.engine import Engine, EngineContext, golden_run, open_engine
from onnxfi.faults import Scenario
from onnxfi.outcome import BoundCriterion, InjectionRecord, spike_counts

FAULTS_TOGETHER = 1_000_000


@dataclass(frozen=True, slots=True, kw_only=True)
class WorkerKey:
    """Which campaign a unit belongs to; all that travels to a worker beside scenario numbers.

    Attributes:
        folder: Where the campaign lives.
        identity: Its identity.
        custom: The user's own objects.
        workers: How many workers share the machine's memory.
        memory_limit_bytes: What a worker may keep; None for the default.
        opened: The campaign as it is open in this process; it does not travel.
    """

    folder: str
    identity: str
    custom: CustomParts = field(compare=False)
    workers: int = 1
    memory_limit_bytes: int | None = None
    opened: OpenCampaign | None = field(default=None, compare=False, repr=False)

    def __reduce__(self) -> tuple[Any, ...]:
        """As it travels to another process."""
        rest = self.folder, self.identity, self.custom, self.workers, self.memory_limit_bytes
        return _arrived, rest


def _arrived(
    folder: str, identity: str, custom: CustomParts, workers: int, limit: int | None
) -> WorkerKey:
    return WorkerKey(
        folder=folder,
        identity=identity,
        custom=custom,
        workers=workers,
        memory_limit_bytes=limit,
    )


def run_unit(key: WorkerKey, unit: Sequence[int]) -> list[InjectionRecord]:
    """Run the scenarios of a unit."""
    worker = _worker(key)
    return list(worker.run(unit))


def release_worker() -> None:
    """Forget the worker of this process and the sessions that it keeps."""
    _worker.cache_clear()


# The one thing a worker process keeps between units: loading model and golden for each of them
# would cost more than the unit.
@functools.lru_cache(maxsize=1)
def _worker(key: WorkerKey) -> Worker:
    return Worker(key)


class Worker:
    """A campaign's experiment with its engine open, ready to run any scenario of it.

    Attributes:
        experiment: The experiment.
        context: What the engine was given.
        engine: The engine.
    """

    def __init__(self, key: WorkerKey) -> None:
        """Load the experiment and check that fault-free runs here are those of the campaign.

        Raises:
            CampaignMismatchError: Runtime, machine, model, inputs or golden decisions differ.
        """
        campaign = key.opened or open_campaign(Path(key.folder), key.custom)
        campaign.check_surroundings()
        self.experiment = campaign.experiment()
        subject, profile = self.experiment.subject, planned_profile(campaign.plan)
        settings = replace(
            engine_settings(campaign.settings, subject.workload.stream, campaign.plan),
            memory_limit_bytes=worker_limit(key.memory_limit_bytes, key.workers),
        )
        plan = campaign.plan
        bound = BoundCriterion(
            criterion=campaign.criterion(),
            output=plan.criterion_output,
            metrics=chosen_metrics(campaign.settings, campaign.custom),
        )
        # Once: it is compared with the run that the campaign was made with.
        golden = golden_run(subject.model, subject.workload, profile, settings, repeat=False)
        GoldenFile.read(campaign.folder.golden).check(golden, bound, subject.workload)
        self.context = EngineContext(
            model=subject.model,
            workload=subject.workload,
            profile=profile,
            settings=settings,
            sites=tuple(self.experiment.sites.values()),
            criterion=bound,
            monitors=plan.monitors,
            answers=golden.outputs[0],
        )
        self.engine: Engine = open_engine(plan.engine, self.context)
        # The cache that drops a worker can't close it; its engine holds sessions and a thread.
        weakref.finalize(self, self.engine.close)
        self._name = f"{socket.gethostname()}:{os.getpid()}"

    def run(self, numbers: Sequence[int]) -> Iterator[InjectionRecord]:
        """Carry out scenarios over the workload, each as if it were alone."""
        places = iter(numbers)
        for portion in portions(self.experiment.source.scenarios(numbers)):
            found = self.engine.run_many(portion)
            for injection in found:
                yield InjectionRecord(
                    scenario=next(places),
                    counts=injection.counts,
                    run_s=injection.run_s,
                    monitors=injection.monitors,
                    graph=injection.graph,
                    spikes=spike_counts(injection.monitors, self.experiment.spikes),
                    worker=self._name,
                    finished_at=datetime.now(UTC).isoformat(timespec="milliseconds"),
                )


def portions(
    scenarios: Iterable[Scenario], faults: int = FAULTS_TOGETHER
) -> Iterator[list[Scenario]]:
    """Cut drawn scenarios into lists of about so many faults: a unit of all may not fit."""
    held: list[Scenario] = []
    size = 0
    for scenario in scenarios:
        held.append(scenario)
        size += scenario.size
        if size >= faults:
            yield held
            held, size = [], 0
    if held:
        yield held
