"""What every executor must keep to, whoever wrote it."""

from __future__ import annotations

import functools
import math
import operator
import os
import tempfile
from collections.abc import Callable
from concurrent.futures import BrokenExecutor, Executor
from pathlib import Path
from typing import Any

import pytest

from onnxfi.campaign import export_rows, resume_or_create, run_campaign
from onnxfi.settings import CampaignSettings, RunOptions

_MODEL = """
<ir_version: 8, opset_import: ["" : 17]>
tiny (float[N, 4] x) => (float[N, 3] y)
<float[4, 3] weights = {1, 0.5, -1, 2, 0.25, 1, -0.5, 1, 3, 1, -2, 0.75}>
{ y = MatMul (x, weights) }
"""
#: Columns that say when and where a row was made.
_INCIDENTAL = ("run_s", "worker", "finished_at")


class ExecutorSuite:
    """Tests of an executor; derive a class from it, and pytest runs them over yours.

    ::

        class TestCluster(ExecutorSuite):
            def executor(self):
                return Cluster(address="tcp://localhost:8786")
    """

    def executor(self) -> Callable[[int], Executor]:
        """The executor to test: an instance of a plug-in's class, or any factory."""
        raise NotImplementedError

    def test_says_what_it_is(self) -> None:
        """A plug-in has a name, a help text, and says whether workers are apart; others needn't."""
        found = self.executor()
        assert callable(found)
        if hasattr(found, "name"):
            assert found.name
            assert found.help  # type: ignore[attr-defined]
            assert isinstance(found.isolated, bool)  # type: ignore[attr-defined]

    def test_results_come_back(self) -> None:
        """Calls that can be pickled run, and their futures hold what they return."""
        with self.executor()(2) as executor:
            futures = [executor.submit(functools.partial(math.pow, 2), k) for k in range(8)]
            assert [future.result(timeout=120) for future in futures] == [2**k for k in range(8)]

    def test_errors_come_back(self) -> None:
        """A call that raises is no affair of `submit`: its future holds the error."""
        with self.executor()(1) as executor:
            future = executor.submit(operator.truediv, 1, 0)
            assert isinstance(future.exception(timeout=120), ZeroDivisionError)
            assert executor.submit(operator.add, 1, 2).result(timeout=120) == 3

    def test_it_is_made_anew(self) -> None:
        """The factory makes another one when the last is shut down, also with calls cancelled."""
        factory = self.executor()
        for _ in range(2):
            executor = factory(1)
            assert executor.submit(operator.add, 1, 2).result(timeout=120) == 3
            executor.shutdown(wait=True, cancel_futures=True)

    def test_a_worker_that_dies_is_noticed(self) -> None:
        """The calls in flight end with `BrokenExecutor`, by which crashes are told from errors."""
        factory = self.executor()
        if not getattr(factory, "isolated", False):
            pytest.skip("its workers are no processes of their own")
        executor = factory(1)
        try:
            future = executor.submit(os._exit, 1)
            assert isinstance(future.exception(timeout=120), BrokenExecutor)
        finally:
            executor.shutdown(wait=False, cancel_futures=True)

    def test_rows_are_those_of_one_process(self) -> None:
        """A campaign has the same rows as in the calling process."""
        with tempfile.TemporaryDirectory() as folder:
            alone = _rows(Path(folder) / "alone", RunOptions())
            apart = _rows(Path(folder) / "apart", RunOptions(workers=2, executor=self.executor()))
            assert alone == apart


def _rows(folder: Path, options: RunOptions) -> list[dict[str, Any]]:
    """What a small campaign stores, but for when and where."""
    folder.mkdir(parents=True)
    model = folder.parent / "tiny.onnxtxt"
    model.write_text(_MODEL, encoding="utf-8")
    sampler = {"kind": "uniform", "n": 24, "seed": 1}
    settings = CampaignSettings(model=str(model), inputs="random:4:0", sampler=sampler)
    campaign = resume_or_create(folder, settings)
    run_campaign(campaign, options)
    return [
        {name: value for name, value in row.items() if name not in _INCIDENTAL}
        for row in export_rows(campaign)
    ]
