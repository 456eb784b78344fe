"""Small models of every format that onnxruntime runs, made here."""

from __future__ import annotations

import sys
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import pytest

sys.path.insert(0, str(Path(__file__).parent / "made"))

from by_hand import BY_HAND
from quantized import QUANTIZED

from onnxfi.engine import EngineContext, EngineSettings, complete_types, open_workload, profile
from onnxfi.faults import SiteTable, enumerate_sites
from onnxfi.graph import Model, load
from onnxfi.outcome import BoundCriterion, Top1

SAMPLES = "random:4:3"
#: onnxruntime's own optimisers make something of these that it then refuses.
ONLY_DISABLED = frozenset({"qdq_float8", "float8_e4m3fn", "float8_e5m2", "float8_e4m3fnuz"})


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Give every test that asks for a ``format_name`` all of them."""
    if "format_name" in metafunc.fixturenames:
        metafunc.parametrize("format_name", [*QUANTIZED, *BY_HAND])


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Study:
    """A model, its sites, and what engines need to run it."""

    model: Model
    table: SiteTable
    context: EngineContext


@cache
def model_named(name: str) -> Model:
    return complete_types(load((QUANTIZED | BY_HAND)[name]()))


@cache
def _study(name: str, optimization: Any) -> Study:
    model = model_named(name)
    settings = EngineSettings(optimization=optimization)
    workload = open_workload(model, SAMPLES, settings=settings)
    found = profile(model, workload, settings)
    table = enumerate_sites(model.index, model.inputs, model.outputs, found.layouts, found.left_out)
    context = EngineContext(
        model=model,
        workload=workload,
        profile=found,
        settings=settings,
        sites=table.sites,
        criterion=BoundCriterion(criterion=Top1(), output=model.outputs[0].name),
    )
    return Study(model=model, table=table, context=context)


@pytest.fixture(scope="session")
def study() -> Callable[..., Study]:
    """The study of a format; at the level that onnxruntime runs it at, if none is given."""

    def find(name: str, optimization: str = "") -> Study:
        return _study(name, optimization or ("disabled" if name in ONLY_DISABLED else "all"))

    return find


@pytest.fixture(scope="session")
def runs_optimized() -> Callable[[str], bool]:
    """Whether onnxruntime runs a format at its default level."""
    return lambda name: name not in ONLY_DISABLED
