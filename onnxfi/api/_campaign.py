"""The front of a campaign: made or opened, run, estimated, reported. No logic of its own."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from os import PathLike
from pathlib import Path
from typing import Any, Unpack

from onnxfi.analysis import Interval, no_such_rate
from onnxfi.api._arguments import check_keywords, resolve
from onnxfi.api._keywords import CampaignKeywords, RunKeywords
from onnxfi.campaign import (
    CampaignSummary,
    OpenCampaign,
    Progress,
    Replay,
    ReplayOptions,
    RunSummary,
    StopRequest,
    export_rows,
    open_campaign,
    replay,
    resume_or_create,
    run_campaign,
    summarize,
)
from onnxfi.errors import ConfigError
from onnxfi.report import write_report
from onnxfi.settings import CampaignSettings, RunOptions, StopRule, parse_size


@dataclass(frozen=True, slots=True)
class Campaign:
    """A campaign in a folder: what is studied, its scenarios, and the results so far.

    Example:
        >>> campaign = Campaign.create(
        ...     "runs/r8", model="r8.onnx", inputs="test.npz", sampler=UniformSampler(n=100)
        ... )  # doctest: +SKIP
        >>> campaign.run(workers=2)  # doctest: +SKIP
        >>> campaign.estimate("failure").value  # doctest: +SKIP
    """

    opened: OpenCampaign

    @classmethod
    def create(
        cls, folder: str | PathLike[str] | None = None, **settings: Unpack[CampaignKeywords]
    ) -> Campaign:
        """Make a campaign, or open the one in the folder if it is the same experiment.

        Args:
            folder: Where it lives; None for ``runs/<model>-<id>``.
            **settings: ``model`` (path, ``bytes``, ``onnx.ModelProto`` or graphsurgeon ``Graph``)
                and ``inputs`` (path, ``random:N:SEED``, or a mapping of input names to arrays, key
                ``labels`` optional); those in memory are saved into the folder. All others are in
                ``docs/settings.md``.

        Raises:
            CampaignMismatchError: The folder holds another experiment.
            OnnxFIError: A setting, the model or the workload is unusable.
        """
        check_keywords("Campaign.create", settings, CampaignSettings, needed=("model", "inputs"))
        resolved, custom, objects = resolve(settings)
        target = None if folder is None else Path(folder)
        return cls(resume_or_create(target, resolved, custom=custom, objects=objects))

    @classmethod
    def open(cls, folder: str | PathLike[str]) -> Campaign:
        """Open an existing campaign.

        Raises:
            CampaignError: The folder holds none, or its model or workload has changed.
        """
        return cls(open_campaign(Path(folder)))

    @property
    def folder(self) -> Path:
        """The campaign's folder."""
        return self.opened.folder.path

    def run(
        self,
        workers: int = 1,
        *,
        on_progress: Callable[[Progress], None] | None = None,
        **options: Unpack[RunKeywords],
    ) -> RunSummary:
        """Do what is pending; interrupt it and call it again, nothing is lost.

        Args:
            workers: Processes; 1 runs in this one. Others import the calling script, which must
                do its work under ``if __name__ == "__main__":``.
            on_progress: Called after every stored batch of results.
            **options: ``memory_limit`` (bytes, or text such as ``"512MiB"``), ``max_injections``,
                ``time_budget_s``, ``executor``, ``stop``; see ``docs/settings.md``.

        Raises:
            ConfigError: An option is unknown or out of range.
            CampaignLockedError: Another process is running the campaign.
        """
        check_keywords("Campaign.run", options, RunOptions)
        limit = options.get("memory_limit")
        chosen = RunOptions(
            workers=workers,
            max_injections=options.get("max_injections"),
            time_budget_s=options.get("time_budget_s"),
            memory_limit_bytes=parse_size(limit) if isinstance(limit, str) else limit,
            executor=options.get("executor"),
            stop=options.get("stop") or StopRule(),
        )
        return run_campaign(self.opened, chosen, on_progress, StopRequest())

    def summary(self, confidence: float = 0.95, *, by: Sequence[str] = ()) -> CampaignSummary:
        """Rates with intervals and tables, over the longest run of finished blocks.

        Args:
            confidence: Level of the intervals.
            by: Tables besides those that always are: ``["channel"]`` for rates by output channel.
        """
        return summarize(self.opened, confidence, by=by)

    def estimate(self, quantity: str = "failure", confidence: float = 0.95) -> Interval:
        """One rate with its interval.

        Args:
            quantity: ``failure``, ``failed_share``, ``critical_share``, ``due_share``, with labels
                ``accuracy``; of an importance sample also ``failure_bound`` and
                ``failure_difference``, of a search by sampler top only ``precision``.
            confidence: Level of the interval.

        Raises:
            ConfigError: There is no such quantity, or nothing has been run yet.
        """
        rates = self.summary(confidence).rates
        if quantity not in rates:
            raise ConfigError(no_such_rate(quantity, rates))
        return rates[quantity]

    def replay(self, scenario: int, *, outputs: bool = False, trace: bool = False) -> Replay:
        """Carry out one injection again, sample by sample; nothing is stored.

        Args:
            scenario: Its number.
            outputs: Keep all outputs, golden and faulty, in the result.
            trace: Follow the faults through the graph, value by value.

        Returns:
            ``.same`` says whether the stored row came out again, ``.outcomes`` what became of
            every sample, ``.trace`` where values differ first and by how much.

        Raises:
            ConfigError: There is no such scenario.
            CampaignMismatchError: Runtime, machine, model or inputs are not those of the campaign.
        """
        return replay(self.opened, scenario, ReplayOptions(outputs=outputs, trace=trace))

    def rows(self) -> Iterator[dict[str, Any]]:
        """All stored results, one dictionary a scenario, in scenario order."""
        return export_rows(self.opened)

    def report(self, output: str | PathLike[str], confidence: float = 0.95) -> Path:
        """Write a report; the suffix says which form (``.html``, ``.md`` or ``.json``)."""
        path = Path(output)
        write_report([summarize(self.opened, confidence, removed=True)], path)
        return path
