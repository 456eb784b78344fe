"""A fault model of a user's own, registered in this process: two elements change places."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Any, ClassVar

import numpy as np
import pytest
from msgspec import Meta
from onnx import parser

from onnxfi import Campaign, UniformSampler
from onnxfi.bits import ElementType, format_of
from onnxfi.errors import ConfigError, FaultError, FaultListError
from onnxfi.faults import (
    FAULT_MODELS,
    Columns,
    FaultSpace,
    GraphFault,
    TextForm,
    parse_fault_model,
    read_fault_list,
)
from onnxfi.testing import FaultModelSuite, site_of

# The elements of a fault in reverse: of two, each becomes the other.
REVERSED = GraphFault(
    parser.parse_model(
        """<ir_version: 10, opset_import: ["" : 18]> g (float[n, k] x) => (float[n, k] y)
        <int64[1] back = {-1}, int64[1] end = {-9223372036854775807}, int64[1] axis = {1}>
        { y = Slice(x, back, end, axis, back) }"""
    )
)


@FAULT_MODELS.register
@dataclass(frozen=True, slots=True)
class Swap(TextForm):
    """Two elements change places: in memory by their words, in a computed tensor by a graph."""

    name: ClassVar[str] = "swap"
    help: ClassVar[str] = "two elements change places"
    forms: ClassVar[tuple[str, ...]] = ("swap",)
    column: ClassVar[Any] = int

    distance: Annotated[int, Meta(description="How far apart they are.", ge=1)] = 1

    def __post_init__(self) -> None:
        if self.distance < 1:
            raise ConfigError(f"distance is {self.distance}, expected 1 or more")

    @property
    def enumerable(self) -> bool:
        return True

    def graphs(self):
        return REVERSED.graphs()

    def variants(self, site):
        if not site.kind.stored and site.element is not ElementType.FLOAT:
            return 0
        return max(site.layout.elements - self.distance, 0)

    def columns(self, site, numbers, rng):
        owner = np.repeat(np.arange(len(numbers)), 2)
        index = np.stack([numbers, numbers + self.distance], axis=1).reshape(-1)
        if not site.kind.stored:
            full = np.full(len(index), format_of(site.element).mask, np.uint64)
            none = np.zeros(len(index), np.uint64)
            return Columns(
                owner=owner, index=index, and_mask=full, xor_mask=none, graph=REVERSED.graph
            )
        words = site.words()
        swapped = np.stack([words[numbers + self.distance], words[numbers]], axis=1).reshape(-1)
        return Columns(
            owner=owner, index=index, and_mask=np.zeros(len(index), np.uint64), xor_mask=swapped
        )

    def number(self, site, group):
        found = np.sort(group.index)
        if len(found) != 2 or found[1] - found[0] != self.distance:
            return None
        return int(found[0]) if found[0] < self.variants(site) else None

    @classmethod
    def masks(cls, name, values, site):
        raise FaultError(f"{name} is not meant to be written by hand")


class TestSwap(FaultModelSuite):
    def models(self):
        return [Swap(), Swap(distance=3)]


NET = parser.parse_model(
    """<ir_version: 10, opset_import: ["" : 18]>
    g (float[n, 4] x) => (float[n, 3] y)
    <float[4, 3] w = {1, -2, 3, -4, 5, -6, 7, -8, 9, -10, 11, -12}>
    { h = MatMul(x, w)
      a = Relu(h)
      y = Identity(a) }"""
)


@pytest.mark.parametrize(
    ("targets", "engines"), [("weight", ("bake", "lift")), ("activation", ("bake", "ports"))]
)
def test_engines_agree_on_it(tmp_path, targets, engines):
    found = []
    for engine in engines:
        campaign = Campaign.create(
            tmp_path / engine,
            model=NET,
            inputs={"x": np.linspace(-1, 2, 24, dtype=np.float32).reshape(6, 4)},
            targets=[targets],
            fault_model=Swap(),
            sampler=UniformSampler(n=4, seed=0),
            engine=engine,
        )
        # Another process may not know the model, so the file holds what was drawn.
        lines = (tmp_path / engine / "faults.jsonl").read_text(encoding="utf-8").splitlines()
        assert len(lines) == 1 + 4
        campaign.run()
        rows = list(campaign.rows())
        found.append([(row["masked"], row["tolerable"], row["critical"]) for row in rows])
    assert found[0] == found[1]
    assert sum(masked for masked, *_ in found[0]) < 6 * 4


def test_its_text_follows_from_its_fields():
    assert Swap().spec() == "swap"
    assert Swap(distance=3).spec() == "swap:distance=3"
    assert parse_fault_model("swap:distance=3") == Swap(distance=3)
    with pytest.raises(ConfigError, match="unknown option 'distanc'; did you mean 'distance'"):
        parse_fault_model("swap:distanc=3")
    with pytest.raises(ConfigError, match="distance 'x' is not a whole number"):
        parse_fault_model("swap:distance=x")
    with pytest.raises(ConfigError, match="takes no choice of bits"):
        parse_fault_model("swap", bits="30")
    with pytest.raises(ConfigError, match="did you mean swap:distance=3"):
        parse_fault_model("swap:3")


def test_near_names_are_suggested():
    with pytest.raises(ConfigError, match="unknown fault model 'swop'; did you mean 'swap'"):
        parse_fault_model("swop")


def test_it_brings_a_column_of_its_name(tmp_path):
    path = tmp_path / "faults.jsonl"
    site = site_of(ElementType.FLOAT, (4,))
    line = f'{{"scenario":0,"faults":[{{"site":"{site.name}","index":1,"swap":2}}]}}'
    path.write_text(f'{{"schema":"onnxfi/faults/1"}}\n{line}\n', encoding="utf-8")
    with pytest.raises(FaultListError, match=":2: swap is not meant to be written by hand"):
        read_fault_list(path, {site.name: site})


def test_words_stay_in_their_process(make_site):
    site = site_of(ElementType.INT8, (2, 3))
    assert FaultSpace([site], [Swap()]).size == 5
    assert site.words().dtype == np.uint64
    for other in (make_site(), make_site("x", kind="activation")):
        with pytest.raises(FaultError, match="has no stored words"):
            other.words()
