"""Small models with one site of any element type, and running them."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from onnx import helper

from onnxfi.bits import ElementType, Words, from_words, to_words
from onnxfi.engine import EngineSettings, Session
from onnxfi.faults import FaultGroup, FaultSite, SampleLayout, Scenario, SiteKind
from onnxfi.graph import Model, load
from onnxfi.inject import BatchWindow, Instrumented, arm, instrument

SHAPE = (2, 3)  # of one sample


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class OpenSite:
    """A model whose value ``t`` is open for faults, in a session; ``y`` is ``t``."""

    instrumented: Instrumented
    session: Session
    site: FaultSite

    def faulty(self, words: Words, scenario: Scenario | None, samples: int) -> Words:
        """Words of ``t`` under a scenario, from the words of ``x``."""
        element = self.site.element
        feeds = {"x": from_words(words, element, (samples, *SHAPE))}
        window = BatchWindow(start=0, stop=samples, size=samples)
        extra = arm(self.instrumented, scenario, window=window, stored_words={})
        return to_words(self.session.run({**feeds, **extra})["y"], element)


def number_of(element: ElementType) -> int:
    """ONNX's number of an element type."""
    from onnx import TensorProto

    return int(TensorProto.DataType.Value(element.name))


@pytest.fixture(scope="session")
def onnx_number() -> Callable[[ElementType], int]:
    return number_of


@pytest.fixture(scope="session")
def identity() -> Callable[[ElementType], Model]:
    """``x -> t -> y`` for an element type."""

    def make(element: ElementType) -> Model:
        number = number_of(element)
        graph = helper.make_graph(
            [
                helper.make_node("Identity", ["x"], ["t"]),
                helper.make_node("Identity", ["t"], ["y"]),
            ],
            "identity",
            [helper.make_tensor_value_info("x", number, ["n", *SHAPE])],
            [helper.make_tensor_value_info("y", number, ["n", *SHAPE])],
        )
        opsets = [helper.make_opsetid("", 17)]
        return load(helper.make_model(graph, opset_imports=opsets, ir_version=10))

    return make


@pytest.fixture(scope="session")
def make_site() -> Callable[..., FaultSite]:
    def make(
        name: str,
        element: ElementType = ElementType.FLOAT,
        shape: tuple[int, ...] = (1, *SHAPE),
        *,
        kind: str = "activation",
        batch_axis: int | None = 0,
    ) -> FaultSite:
        stored = SiteKind(kind).stored
        return FaultSite(
            name=name,
            kind=SiteKind(kind),
            element=element,
            node="node",
            op_type="Identity",
            layer="node",
            layout=SampleLayout(shape=shape, batch_axis=None if stored else batch_axis),
        )

    return make


@pytest.fixture(scope="session")
def open_site(identity, make_site) -> Callable[..., OpenSite]:
    """An :class:`OpenSite` of an element type and scatter flavour, made once."""
    made: dict[tuple[ElementType, str], OpenSite] = {}

    def get(element: ElementType, scatter: str = "elements") -> OpenSite:
        if (element, scatter) not in made:
            site = make_site("t", element)
            instrumented = instrument(identity(element), [site], scatter=scatter)
            session = Session(instrumented.model, EngineSettings())
            made[element, scatter] = OpenSite(instrumented=instrumented, session=session, site=site)
        return made[element, scatter]

    return get


def group_of(site: str, *rows: tuple[int, int, int], sample: Any = None) -> FaultGroup:
    """A group from (index, and, xor) rows."""
    table = np.array(rows, dtype=object).reshape(-1, 3)
    return FaultGroup(
        site=site,
        index=table[:, 0].astype(np.int64),
        and_mask=table[:, 1].astype(np.uint64),
        xor_mask=table[:, 2].astype(np.uint64),
        sample=None if sample is None else np.array(sample, np.int64),
    )


@pytest.fixture(scope="session")
def make_group() -> Callable[..., FaultGroup]:
    return group_of


@pytest.fixture(scope="session")
def run() -> Callable[..., Mapping[str, NDArray[Any]]]:
    """Run a model once, at an optimisation level."""

    def call(
        model: Model, feeds: Mapping[str, NDArray[Any]], optimization: str = "disabled"
    ) -> Mapping[str, NDArray[Any]]:
        return Session(model, EngineSettings(optimization=optimization)).run(feeds)

    return call
