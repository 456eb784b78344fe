"""Small models, workloads and engines for the tests of engine/."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from onnx import parser

from onnxfi.engine import Engine, EngineContext, EngineSettings, open_engine, open_workload, profile
from onnxfi.faults import FaultGroup, FaultSite, Scenario, enumerate_sites
from onnxfi.graph import Model, load
from onnxfi.outcome import BoundCriterion, Top1
from onnxfi.workload import Workload

MODELS = Path(__file__).parents[2] / "models"

CLASSIFIER = """
<ir_version: 10, opset_import: ["" : 17]>
classifier (float[batch, 3, 8, 8] image) => (float[batch, 5] scores)
{
  c1 = Conv<pads = [1, 1, 1, 1]>(image, w1, b1)
  r1 = Relu(c1)
  p1 = MaxPool<kernel_shape = [2, 2], strides = [2, 2]>(r1)
  t1 = Transpose<perm = [1, 0, 2, 3]>(p1)
  t2 = Neg(t1)
  t3 = Transpose<perm = [1, 0, 2, 3]>(t2)
  f1 = Flatten(t3)
  scores = Gemm<transB = 1>(f1, w2, b2)
}
"""


def parse(text: str) -> Model:
    return load(parser.parse_model(text))


@pytest.fixture(scope="session")
def model_of() -> Callable[[str], Model]:
    """A model from ONNX text."""
    return parse


@pytest.fixture(scope="session")
def models() -> Path:
    """Folder of the committed models."""
    return MODELS


@pytest.fixture(scope="session")
def classifier() -> Model:
    """Conv, ReLU, pooling, a detour with the batch on axis 1, and five classes."""
    rng = np.random.default_rng(3)
    shapes = {"w1": (4, 3, 3, 3), "b1": (4,), "w2": (5, 64), "b2": (5,)}
    proto = parser.parse_model(CLASSIFIER)
    from onnx import numpy_helper

    for name, shape in shapes.items():
        values = rng.normal(scale=0.3, size=shape).astype(np.float32)
        proto.graph.initializer.append(numpy_helper.from_array(values, name))
    return load(proto)


@pytest.fixture(scope="session")
def images(classifier: Model) -> Workload:
    """Eleven images with labels."""
    rng = np.random.default_rng(4)
    values = rng.normal(size=(11, 3, 8, 8)).astype(np.float32)
    return open_workload(classifier, {"image": values, "labels": np.arange(11) % 5})


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Prepared:
    """A context with all sites of a model, and engines made from it."""

    context: EngineContext

    @property
    def sites(self) -> dict[str, FaultSite]:
        return {site.name: site for site in self.context.sites}

    def engine(self, name: str, *sites: str, **settings: Any) -> Engine:
        """An engine for some sites (default all), with other settings."""
        context = self.context
        chosen = tuple(self.sites[site] for site in sites) or context.sites
        context = replace(context, sites=chosen, settings=replace(context.settings, **settings))
        return open_engine(name, context)


Prepare = Callable[..., Prepared]


@pytest.fixture(scope="session")
def prepare() -> Prepare:
    """A prepared for a model and a workload."""

    def make(
        model: Model,
        workload: Workload,
        *,
        output: str | None = None,
        extra: tuple[FaultSite, ...] = (),
        **settings: Any,
    ) -> Prepared:
        asked = EngineSettings(**settings)
        found = profile(model, workload, asked)
        table = enumerate_sites(model.index, model.inputs, model.outputs, found.layouts)
        known = tuple(site for site in table.sites if site.layout is not None)
        criterion = BoundCriterion(criterion=Top1(), output=output or model.outputs[0].name)
        context = EngineContext(
            model=model,
            workload=workload,
            profile=found,
            settings=asked,
            sites=(*known, *extra),
            criterion=criterion,
        )
        return Prepared(context=context)

    return make


@pytest.fixture(scope="session")
def prepared(prepare: Prepare, classifier: Model, images: Workload) -> Prepared:
    """The classifier's prepared, optimisation disabled."""
    return prepare(classifier, images, optimization="disabled", batch_size=4)


@pytest.fixture
def closing() -> Iterator[Callable[[Engine], Engine]]:
    """Closes engines after the test."""
    opened: list[Engine] = []

    def keep(engine: Engine) -> Engine:
        opened.append(engine)
        return engine

    yield keep
    for engine in opened:
        engine.close()


@pytest.fixture(scope="session")
def scenario() -> Callable[..., Scenario]:
    """Flips of (site, element, bit) or (site, element, bit, sample)."""

    def make(*flips: tuple[Any, ...], number: int = 0) -> Scenario:
        by_site: dict[str, list[tuple[Any, ...]]] = {}
        for flip in flips:
            by_site.setdefault(flip[0], []).append(flip)
        return Scenario(number=number, groups=tuple(_group(*entry) for entry in by_site.items()))

    return make


def _group(site: str, flips: list[tuple[Any, ...]]) -> FaultGroup:
    bound = any(len(flip) > 3 for flip in flips)
    samples = [flip[3] if len(flip) > 3 else -1 for flip in flips]
    return FaultGroup(
        site=site,
        index=np.array([flip[1] for flip in flips], np.int64),
        and_mask=np.full(len(flips), 2**64 - 1, np.uint64),
        xor_mask=np.array([1 << flip[2] for flip in flips], np.uint64),
        sample=np.array(samples, np.int64) if bound else None,
    )
