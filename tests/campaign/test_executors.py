"""Executors: ours keep to the suite, users' own are found, and texts choose them with options."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import Executor, ThreadPoolExecutor
from dataclasses import dataclass
from typing import Annotated, ClassVar

import pytest
from click.testing import CliRunner
from msgspec import Meta

from onnxfi.campaign.executors import (
    EXECUTORS,
    InlineExecutor,
    ProcessesExecutor,
    parse_executor,
    usual_executor,
)
from onnxfi.cli import cli
from onnxfi.errors import ConfigError
from onnxfi.testing import ExecutorSuite


class TestInline(ExecutorSuite):
    def executor(self) -> Callable[[int], Executor]:
        return InlineExecutor()


class TestProcesses(ExecutorSuite):
    def executor(self) -> Callable[[int], Executor]:
        return ProcessesExecutor()


class TestFunction(ExecutorSuite):
    def executor(self) -> Callable[[int], Executor]:
        return lambda _workers: ThreadPoolExecutor(1)


@dataclass(frozen=True, slots=True, kw_only=True)
class Threads:
    """An executor of a user's own."""

    name: ClassVar[str] = "threads"
    help: ClassVar[str] = "in threads"
    isolated: ClassVar[bool] = False
    most: Annotated[int, Meta(description="Threads at most.", ge=1)] = 4

    def __call__(self, workers: int) -> Executor:
        return ThreadPoolExecutor(min(workers, self.most))


@pytest.fixture
def threads() -> None:
    EXECUTORS.register(Threads)


def test_one_worker_runs_in_this_process_several_in_their_own() -> None:
    assert usual_executor(1) == InlineExecutor()
    assert usual_executor(2) == ProcessesExecutor()


@pytest.mark.usefixtures("threads")
def test_an_own_executor_is_chosen_by_name_with_its_options() -> None:
    assert parse_executor("threads") == Threads()
    assert parse_executor("threads:most=2") == Threads(most=2)
    assert "threads (in threads)" in " ".join(
        CliRunner().invoke(cli, ["run", "--help"]).output.split()
    )


@pytest.mark.usefixtures("threads")
@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("thread", "unknown executor 'thread'; did you mean 'threads'"),
        ("threads:least=2", "unknown option 'least' in executor threads; did you mean|there are"),
        ("threads:most=0", "executor threads: most is '0'; expected"),
        ("processes:most=2", "unknown option 'most' in executor processes; there are: none"),
    ],
)
def test_what_names_no_executor_is_refused(text: str, said: str) -> None:
    with pytest.raises(ConfigError, match=said):
        parse_executor(text)
