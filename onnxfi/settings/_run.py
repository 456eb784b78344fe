"""How a campaign is carried out, and when it stops: nothing here changes a row."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import Executor
from typing import Annotated

import msgspec
from msgspec import Meta

from onnxfi.errors import ConfigError
from onnxfi.settings._schema import check_record

ExecutorFactory = Callable[[int], Executor]
"""Takes a number of workers."""


class StopRule(msgspec.Struct, frozen=True, kw_only=True):
    """When enough is known: two intents, to estimate a rate or to find failures.

    Whatever stops a campaign looks at finished blocks, and each look is recorded: the failure
    rate's interval is then widened so that it holds whenever the campaign stops.

    Attributes:
        margin: Stop when the failure rate's interval has this half-width.
        relative_margin: Stop when it has this half-width over the rate.
        find: Stop when so many failing scenarios are found.
        confidence: Level of the interval.

    Raises:
        ConfigError: Both intents, or a value out of range.
    """

    margin: (
        Annotated[
            float,
            Meta(
                description="To estimate: stop when the failure rate's interval has half-width "
                "E. The interval stays valid however often it is looked at.",
                gt=0,
                lt=1,
                extra={"group": "stop", "metavar": "E"},
            ),
        ]
        | None
    ) = None
    relative_margin: (
        Annotated[
            float,
            Meta(
                description="The same, with half-width R times the rate, such as 0.1.",
                gt=0,
                extra={"group": "stop", "metavar": "R"},
            ),
        ]
        | None
    ) = None
    find: (
        Annotated[
            int,
            Meta(
                description="To find failures: stop when K failing scenarios are found.",
                ge=1,
                extra={"group": "stop", "metavar": "K"},
            ),
        ]
        | None
    ) = None
    confidence: Annotated[
        float, Meta(description="Level of the intervals.", gt=0, lt=1, extra={"group": "level"})
    ] = 0.95

    def __post_init__(self) -> None:
        if self.estimating and self.find is not None:
            raise ConfigError(
                "a margin is for estimating a rate, find for finding failures; choose one"
            )
        check_record(self, "stop rule")

    @property
    def estimating(self) -> bool:
        """Whether it stops for a rate."""
        return self.margin is not None or self.relative_margin is not None

    @property
    def active(self) -> bool:
        """Whether there is anything to stop for."""
        return self.estimating or self.find is not None


class RunOptions(msgspec.Struct, frozen=True, kw_only=True):
    """How the work of a campaign is done, and what ends it early.

    Attributes:
        workers: Processes; 1 runs in the calling process.
        memory_limit_bytes: What each worker may keep sessions and computed values in; None for its
            part of a quarter of the memory that is free when it starts.
        max_injections: Stop after this many injections of this run.
        time_budget_s: Stop submitting after this many seconds of this run.
        executor: Name of an executor, or a factory of one for a number of workers; None for the
            calling process, or for spawned ones where there are several workers.
        stop: When enough is known.

    Raises:
        ConfigError: A value is out of range.
    """

    workers: Annotated[
        int,
        Meta(
            description="Processes; the results are the same for any number.",
            ge=1,
            extra={"group": "work"},
        ),
    ] = 1
    memory_limit_bytes: (
        Annotated[
            int,
            Meta(
                description="What each worker may keep in memory, such as 512MiB or 1GB; changes "
                "the speed, never a result.",
                ge=0,
                extra={
                    "group": "memory",
                    "flag": "--memory-limit",
                    "unit": "bytes",
                    "usual": "a quarter of what is free, divided among the workers",
                    "keyword": "memory_limit",
                    "takes": "int | str | None",
                },
            ),
        ]
        | None
    ) = None
    max_injections: (
        Annotated[
            int,
            Meta(
                description="Stop after this many injections, with exit code 3.",
                ge=1,
                extra={"group": "limits"},
            ),
        ]
        | None
    ) = None
    time_budget_s: (
        Annotated[
            float,
            Meta(
                description="Stop after this time, with exit code 3: seconds, or 90s, 15m, 2h.",
                gt=0,
                extra={"group": "limits", "flag": "--time-budget", "unit": "s"},
            ),
        ]
        | None
    ) = None
    executor: (
        Annotated[
            str | ExecutorFactory,
            Meta(
                description="Where workers run. In Python also a function that takes a number of "
                "workers and returns any concurrent.futures.Executor.",
                extra={
                    "group": "executor",
                    "registry": "executor",
                    "usual": "inline for one worker, else processes",
                    "takes": "str | Callable[[int], Any] | None",
                },
            ),
        ]
        | None
    ) = None
    stop: Annotated[
        StopRule,
        Meta(
            description="When enough is known, such as StopRule(margin=0.002).",
            extra={"group": "rule", "takes": "StopRule | None"},
        ),
    ] = StopRule()

    def __post_init__(self) -> None:
        check_record(self, "run options")
