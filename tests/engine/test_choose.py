"""Choosing an engine, the cache of sessions, the default batch size."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
import pytest
from onnx import TensorProto, helper, numpy_helper

from onnxfi.bits import ElementType
from onnxfi.engine import Scenarios, choose_engine, open_workload
from onnxfi.engine.engines import share_behind
from onnxfi.engine.runtime import Cache, multiply_accumulates
from onnxfi.engine.study import default_batch_size
from onnxfi.errors import ConfigError
from onnxfi.faults import enumerate_sites
from onnxfi.graph import load

ONE, MANY = Scenarios(single_site=True), Scenarios(single_site=False)
BOUND = replace(MANY, bound=True)


def _choose(prepared, requested, *names, scenarios=ONE, samples=1000):
    sites = [prepared.sites[name] for name in names]
    return choose_engine(requested, prepared.context.model, samples, sites, scenarios)


def test_as_asked_for(prepared):
    for name in ("bake", "ports"):
        choice = _choose(prepared, name, "w1", "r1")
        assert (choice.name, choice.reason) == (name, "as asked for")
    with pytest.raises(ConfigError, match="unknown engine 'warp'; there are: auto, bake"):
        _choose(prepared, "warp", "w1")
    with pytest.raises(ConfigError, match="engine lift can't run this campaign: site 'r1': it is"):
        _choose(prepared, "lift", "r1")
    with pytest.raises(ConfigError, match="engine bake can't run this campaign: some faults are"):
        _choose(prepared, "bake", "r1", scenarios=BOUND)


def test_computed_sites_go_through_ports_or_cuts(prepared):
    assert _choose(prepared, "auto", "w1", "r1", scenarios=MANY).name == "cut"
    assert _choose(prepared, "auto", "f1", "t3").name == "cut"
    # Everything lies behind the input: nothing is saved, and one scenario pays for the start.
    assert _choose(prepared, "auto", "image", scenarios=replace(ONE, count=1)).name != "cut"
    assert _choose(prepared, "auto", "r1", scenarios=BOUND).name == "cut"


def test_types_decide(prepared):
    narrow = replace(prepared.sites["r1"], element=ElementType.INT4)
    choice = choose_engine("auto", prepared.context.model, 10, [narrow], ONE)
    assert choice.name == "cut"
    assert "no operators that gather and scatter INT4" in choice.reason
    text = replace(prepared.sites["w1"], element=ElementType.STRING)
    with pytest.raises(ConfigError, match=r"no engine can run this campaign \(bake: some.*ports: "):
        choose_engine("auto", prepared.context.model, 10, [text], BOUND)


def test_costs_decide_for_stored_sites(models):
    model = load(models / "resnet8_fashion_int8_qdq.onnx")
    table = enumerate_sites(model.index, model.inputs, model.outputs)
    sites = [site for site in table.sites if site.kind.value == "weight"]
    assert choose_engine("auto", model, 1000, sites, ONE).name == "cut"
    assert choose_engine("auto", model, 1000, sites, replace(ONE, count=3)).name == "bake"
    assert choose_engine("auto", model, 1000, sites, MANY).name == "bake"
    # Many tensors at once: floats are lifted cheaply in the executable graph.
    assert choose_engine("auto", model, 10, sites, MANY).name == "lift"
    large = _wide(2000)  # 16 MB of weights, few operations, all of them behind the site
    table = enumerate_sites(large.index, large.inputs, large.outputs)
    assert choose_engine("auto", large, 100, table.sites[:1], ONE).name == "lift"


def test_most_weights_lie_in_the_last_layers(models):
    model = load(models / "resnet8_fashion_fp32.onnx")
    table = enumerate_sites(model.index, model.inputs, model.outputs)
    weights = [site for site in table.sites if site.kind.value == "weight"]
    assert 0.1 < share_behind(model, weights) < 0.5
    first = min(weights, key=lambda site: site.layout.elements)
    assert share_behind(model, [first]) == 1.0
    assert share_behind(model, []) == 1.0


def test_an_engine_that_turns_out_unable_is_passed_over(models):
    model = load(models / "resnet8_fashion_fp32.onnx")
    table = enumerate_sites(model.index, model.inputs, model.outputs)
    sites = [site for site in table.sites if site.kind.value == "weight"]
    asked = []

    def examine(name):
        asked.append(name)
        return "it was folded" if name == "lift" else None

    choice = choose_engine("auto", model, 10, sites, MANY, examine)
    assert asked == ["lift", choice.name]
    assert choice.name == "ports"
    assert choice.reason.endswith("; not lift: it was folded")
    with pytest.raises(ConfigError, match="engine lift can't run this campaign: it was folded"):
        choose_engine("lift", model, 10, sites, MANY, examine)
    with pytest.raises(ConfigError, match=r"no engine can run this campaign .*ports: no"):
        choose_engine("auto", model, 10, sites, MANY, lambda _: "no")


def _wide(width: int):
    weight = numpy_helper.from_array(np.zeros((width, width), np.float32), "w")
    graph = helper.make_graph(
        [helper.make_node("MatMul", ["x", "w"], ["y"])],
        "g",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, ["n", width])],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, ["n", width])],
        [weight],
    )
    opsets = [helper.make_opsetid("", 17)]
    return load(helper.make_model(graph, opset_imports=opsets, ir_version=10))


def test_multiply_accumulates(classifier, models):
    assert multiply_accumulates(classifier) == 4 * 3 * 3 * 3 * 64 + 5 * 64
    # ResNet-8 on 28 x 28: the same network in both files.
    counts = {
        name: multiply_accumulates(load(models / f"resnet8_fashion_{name}.onnx"))
        for name in ("fp32", "int8_qdq")
    }
    assert counts["fp32"] == counts["int8_qdq"] > 9_000_000


def test_default_batch_size(classifier, images, model_of):
    assert default_batch_size(classifier, images) == 11
    many = open_workload(classifier, "random:1000:1")
    assert default_batch_size(classifier, many) == 64
    large = model_of("""
    <ir_version: 10, opset_import: ["" : 17]>
    g (float[batch, tokens, 1000] x) => (float[batch, tokens, 1000] y)
    { h = Neg(x)  y = Neg(h) }
    """)
    # What a sample's values take is added up: 2 of 8 MB each. The file leaves the tokens open.
    long = np.broadcast_to(np.zeros((), np.float32), (64, 2000, 1000))
    few = replace(many, inputs={"x": long}, axes={"x": 0}, samples=64)
    assert default_batch_size(large, few) == 16
    few = replace(few, inputs={"x": long[:, :500]})
    assert default_batch_size(large, few) == 64


@dataclass
class Item:
    nbytes: int


def test_cache_drops_what_was_used_least_recently():
    cache: Cache[Item] = Cache(25)
    made = []

    def get(key: str, nbytes: int = 10) -> Item:
        return cache.get(key, lambda: made.append(key) or Item(nbytes))

    get("a"), get("b"), get("a"), get("c")
    assert made == ["a", "b", "c"]
    get("a")
    get("b")
    assert made == ["a", "b", "c", "b"]
    get("large", 100)
    assert get("large") is get("large")  # it alone is over the limit, and stays while in use
    get("a")
    assert made == ["a", "b", "c", "b", "large", "a"]
    get("large")
    assert made[-1] == "large"
    cache.clear()
    get("a")
    assert made[-1] == "a"


def test_items_that_grow_push_others_out():
    cache: Cache[Item] = Cache(25)
    first = cache.get("a", lambda: Item(10))
    cache.get("b", lambda: Item(10))
    first.nbytes = 20
    assert cache.get("a", lambda: Item(0)) is first
    assert cache.get("b", lambda: Item(1)).nbytes == 1


def test_an_item_that_can_not_be_made_leaves_the_others_usable():
    cache: Cache[Item] = Cache(25)
    cache.get("a", lambda: Item(30))
    with pytest.raises(ZeroDivisionError):
        cache.get("b", lambda: Item(1 // 0))
    # "a" was dropped to make room.
    assert cache.get("a", lambda: Item(7)).nbytes == 7
