"""Which executable graphs are trusted, and which sites share one."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from onnxfi.bits import ElementType
from onnxfi.engine import open_workload
from onnxfi.engine.cut import LateStart, Routes, same_effect
from onnxfi.engine.executable import (
    Deployed,
    OpenGraph,
    Opening,
    TensorPlace,
    kept_together,
    open_executable,
    open_stored,
    optimized,
)
from onnxfi.engine.golden import observe
from onnxfi.engine.runtime import Watchdog
from onnxfi.graph import expose, load

STORED = """
<ir_version: 10, opset_import: ["" : 17]>
g (float[n, 4] x) => (float[n, 4] y, float[n, 4] z)
<float[4] w = {1.0, -2.0, 3.0, 4.0}>
{ a = Mul(x, w)  b = Relu(a)  c = Tanh(b)  d = Sigmoid(b)  y = Add(c, d)  z = Abs(a) }
"""
BODY = STORED[STORED.rindex("{") :]

# Graphs that compute the same and what their author says of them.
RIGHT = "{ a = Mul(x, w)  b = Relu(a)  d = Sigmoid(b)  z = Abs(a)  c = Tanh(b)  y = Add(d, c) }"
TURNED = """{ a = Mul(x, w)  h = Relu(a)  t = Transpose<perm = [1, 0]>(h)
  b = Transpose<perm = [1, 0]>(t)  c = Tanh(b)  d = Sigmoid(b)  y = Add(c, d)  z = Abs(a) }"""
AROUND = (
    "{ a = Mul(x, w)  b = Relu(a)  e = Relu(a)  c = Tanh(b)  d = Sigmoid(e)  y = Add(c, d)"
    "  z = Abs(a) }"
)
UNREAD = (
    "{ a = Mul(x, w)  b = Relu(a)  e = Relu(a)  c = Tanh(e)  d = Sigmoid(e)  y = Add(c, d)"
    "  z = Abs(a) }"
)
APART = """{ a = Mul(x, w)  b = Relu(a)  c = Tanh(b)  d = Sigmoid(b)  y = Add(c, d)
  e = Mul(x, w)  z = Abs(e) }"""


@pytest.fixture
def watchdog():
    made = Watchdog()
    yield made
    made.close()


def _late(routes, name):
    return routes.late(routes.route([name]))


@pytest.fixture
def trust(model_of, prepare, watchdog):
    """Whether a graph, in place of the stored one, is trusted with sites at some values."""

    def ask(body, sites, values=None, x=None):
        model = model_of(STORED)
        x = np.random.default_rng(2).normal(size=(5, 4)).astype(np.float32) if x is None else x
        prepared = prepare(model, open_workload(model, {"x": x}), output="y")
        computed = tuple(prepared.sites[name] for name in sites)
        context = replace(prepared.context, sites=computed)
        graph = open_stored(context, Opening(computed=computed), watchdog)
        stored = LateStart(context, graph, watchdog)
        other = model_of(STORED.replace(BODY, body))
        values = values or {}
        places = {
            site.name: TensorPlace(value=values.get(site.name, site.name), site=site)
            for site in computed
        }
        seen = observe(other, context, {}, watchdog, replay=True)
        made = replace(graph, model=other, replay=True, observation=seen, places=places)
        assert isinstance(made, OpenGraph)
        late = LateStart(context, made, watchdog)
        pairs = (stored.chain, stored.loose), (late.chain, late.loose)
        return same_effect(context, *pairs, places, {})

    return ask


@pytest.mark.parametrize("sites", [("b",), ("a", "b"), ("x", "b", "d"), ("y", "z"), ("c",)])
@pytest.mark.parametrize("body", [BODY, RIGHT, TURNED], ids=["same", "ordered", "turned"])
def test_graphs_that_do_the_same_are_trusted(trust, body, sites):
    assert trust(body, sites)


@pytest.mark.parametrize(
    ("body", "sites"),
    [
        (AROUND, ("b",)),
        (UNREAD, ("b",)),
        (UNREAD, ("d", "b")),
        (APART, ("a",)),
        (APART, ("b", "a")),
    ],
    ids=["around", "unread", "unread two", "other output", "other output two"],
)
def test_a_reader_that_goes_around_a_place_is_noticed(trust, body, sites):
    assert not trust(body, sites)


@pytest.mark.parametrize(
    ("body", "sites"), [(AROUND, ("a",)), (UNREAD, ("c", "d")), (APART, ("b",))]
)
def test_going_around_what_is_no_site_does_no_harm(trust, body, sites):
    assert trust(body, sites)


@pytest.mark.parametrize("number", [0.0, 1.0])
def test_values_that_are_all_the_same_prove_nothing_and_are_changed(trust, number):
    """As spikes of a neuron that the first samples do not make fire."""
    x = np.full((5, 4), number, np.float32) / np.array([1, -2, 3, 4], np.float32)
    assert trust(BODY, ("b",), x=x)
    assert not trust(AROUND, ("b",), x=x)


def test_a_place_that_holds_another_value_is_noticed(trust):
    assert not trust(BODY, ("b",), {"b": "a"})
    assert not trust(BODY, ("c",), {"c": "d"})
    assert not trust(TURNED, ("b",), {"b": "t"})
    assert trust(TURNED, ("b",), {"b": "h"})
    assert trust(UNREAD, ("b",), {"b": "e"})


def _zoo(models, prepare, name, samples=6):
    model = load(models / f"{name}.onnx")
    data = "fashion" if "fashion" in name else "mnist"
    workload = open_workload(model, models / f"{data}_test1000.npz").take(samples)
    return prepare(model, workload, output="logits", batch_size=samples)


def _integer_operators(model):
    return sorted(
        node.op_type
        for node in model.index.nodes
        if node.op_type.startswith(("QLinear", "QGemm")) or "Integer" in node.op_type
    )


def test_floats_between_integer_operators_are_opened_alone(models, prepare):
    prepared = _zoo(models, prepare, "resnet8_fashion_int8_qdq")
    context = prepared.context
    deployed = Deployed(context)
    together = kept_together(context, deployed)
    assert deployed.quantized
    assert not deployed.halves
    computed = [site for site in context.sites if not site.kind.stored]
    names = {site.name for site in together}
    assert names < {site.name for site in computed}
    kinds = {site.element for site in together}
    assert {ElementType.INT8, ElementType.UINT8} & kinds, "quantized values are kept"
    plain = _integer_operators(optimized(context.model, context.settings))
    assert len(plain) > 5
    opened = optimized(expose(context.model, sorted(names)), context.settings)
    assert _integer_operators(opened) == plain
    # With one of the others open as well, other operators run.
    lost = 0
    for site in computed:
        if site.name not in names and site.op_type == "Conv":
            more = optimized(expose(context.model, [*sorted(names), site.name]), context.settings)
            lost += _integer_operators(more) != plain
    assert lost > 3


def test_half_precision_is_opened_only_where_a_scenario_touches_it(
    models, prepare, scenario, watchdog
):
    prepared = _zoo(models, prepare, "lenet5_mnist_fp16")
    deployed = Deployed(prepared.context)
    together = kept_together(prepared.context, deployed)
    assert deployed.halves
    assert not deployed.quantized
    assert together
    assert ElementType.FLOAT16 not in {site.element for site in together}
    halves = [
        site.name
        for site in prepared.context.sites
        if site.element is ElementType.FLOAT16 and not site.kind.stored
    ]
    routes = Routes(prepared.context, watchdog)
    one, two = (_late(routes, name) for name in halves[:2])
    assert set(one.graph.places) == {halves[0]}
    assert set(two.graph.places) == {halves[1]}
    assert _late(routes, halves[0]) is one


def test_models_of_one_kind_share_one_graph(models, prepare, watchdog):
    prepared = _zoo(models, prepare, "lenet5_mnist_fp32")
    deployed = Deployed(prepared.context)
    together = kept_together(prepared.context, deployed)
    assert not deployed.quantized
    assert not deployed.halves
    assert len(together) == sum(not site.kind.stored for site in prepared.context.sites)
    routes = Routes(prepared.context, watchdog)
    for stored in (False, True):
        sites = (site for site in prepared.context.sites if site.kind.stored is stored)
        assert len({_late(routes, site.name) for site in sites}) == 1


def test_a_graph_that_is_not_trusted_is_not_used(models, prepare, watchdog, monkeypatch):
    """Then it is taken apart; if that can't be trusted either, the stored graph is taken."""
    prepared = _zoo(models, prepare, "lenet5_mnist_fp32", samples=3)
    answers: list[bool] = []
    monkeypatch.setattr("onnxfi.engine.cut._candidates.same_effect", lambda *_: answers.pop(0))
    name = "/relu1/Relu_output_0"
    context = replace(
        prepared.context, sites=tuple(site for site in prepared.context.sites if site.name == name)
    )
    for given, graph in (
        ([True], "executable"),
        ([False, True], "apart"),
        ([False, False, True], "executable"),  # with nothing else in it
        ([False, False, False, True], "apart"),
        ([False, False, False, False], "stored"),
    ):
        answers[:] = given
        routes = Routes(context, watchdog)
        route = routes.route([name])
        assert not answers
        assert route.use.graph == graph
        assert routes.late(route).graph.replay is (graph != "stored")
        assert ("would miss some of those who read the value" in route.use.reason) is (
            len(given) > 1
        )


def test_a_graph_taken_apart_holds_its_sites_under_their_names(models, prepare, watchdog):
    prepared = _zoo(models, prepare, "lenet5_mnist_fp32", samples=3)
    context = prepared.context
    computed = tuple(site for site in context.sites if not site.kind.stored)
    graph = open_executable(context, Opening(computed=computed), watchdog, apart=True)
    assert {place.value for place in graph.places.values()} == {site.name for site in computed}
    assert all(place.position is None for place in graph.places.values())
    assert [spec.name for spec in graph.model.inputs] == ["image"]
    assert [spec.name for spec in graph.model.outputs] == ["logits"]
