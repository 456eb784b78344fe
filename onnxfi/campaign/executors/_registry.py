"""The executors by name, and the text that chooses one."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import Executor
from typing import Any, ClassVar, Protocol

from onnxfi.plugins import Registry, read_options


class ExecutorPlugin(Protocol):
    """What an executor plug-in says of itself.

    Attributes:
        name: The word by which people and files name it.
        help: Where units run, in a few words.
        isolated: Whether workers are processes of their own: one that dies takes no other with it.
    """

    name: ClassVar[str]
    help: ClassVar[str]
    isolated: ClassVar[bool]

    def __call__(self, workers: int) -> Executor:
        """Return an executor with so many workers."""
        ...


#: The executors: one line each, where its class is.
EXECUTORS: Registry[Any] = Registry(
    "executor",
    {
        "inline": "onnxfi.campaign.executors._inline:InlineExecutor",
        "processes": "onnxfi.campaign.executors._processes:ProcessesExecutor",
    },
    group="onnxfi.executors",
)


def usual_executor(workers: int) -> Callable[[int], Executor]:
    """The executor for a number of workers: one runs in the calling process."""
    chosen: Callable[[int], Executor] = EXECUTORS.get("inline" if workers == 1 else "processes")()
    return chosen


def parse_executor(text: str) -> Callable[[int], Executor]:
    """The executor that a text names: ``processes``, or ``NAME:OPTION=VALUE,OPTION=VALUE``.

    Raises:
        ConfigError: There is no such executor, it has no such option, or a value is wrong.
    """
    name, _, rest = text.partition(":")
    cls = EXECUTORS.get(name)
    chosen: Callable[[int], Executor] = cls(**read_options(cls, rest, "executor"))
    return chosen
