"""Graphs stand for the deployed model: by kernel and by answer, whatever else is in a campaign."""

from __future__ import annotations

import logging
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from onnx import numpy_helper, parser

from onnxfi.engine import open_engine, open_workload
from onnxfi.engine.cut import Routes
from onnxfi.engine.executable import ROUNDING, Agreement, OwnAnswers
from onnxfi.engine.runtime import Session, Watchdog
from onnxfi.errors import BackendError, RewriteError
from onnxfi.faults import BitFlip, FaultSpace
from onnxfi.graph import load
from onnxfi.sampling import BitErrorRateSampler, SampledScenarios, UniformSampler

# Integers and floats side by side: a quantized convolution and product, a pooling in between.
QDQ = """
<ir_version: 10, opset_import: ["" : 17]>
qdq (float[n, 2, 6, 6] x) => (float[n, 5] y)
<float s = {0.02}, int8 z = {0}, uint8 u = {7}, float t = {0.01}, float r = {0.0002},
 float v = {0.05}, uint8 o = {3}, int8[4, 2, 3, 3] k, int32[4] b, int8[16, 5] m>
{
  q = QuantizeLinear(x, s, u)          d = DequantizeLinear(q, s, u)
  kd = DequantizeLinear(k, t, z)       bd = DequantizeLinear(b, r)
  c = Conv(d, kd, bd)                  a = Relu(c)
  aq = QuantizeLinear(a, v, o)         ad = DequantizeLinear(aq, v, o)
  p = MaxPool<kernel_shape = [2, 2], strides = [2, 2]>(ad)
  pq = QuantizeLinear(p, v, o)         pd = DequantizeLinear(pq, v, o)
  f = Flatten(pd)
  md = DequantizeLinear(m, t, z)       w = MatMul(f, md)
  wq = QuantizeLinear(w, v, o)         y = DequantizeLinear(wq, v, o)
}
"""
# A matrix product on 4-bit weights whose kernel rounds what it reads to 8 bits.
PACKED = """
<ir_version: 10, opset_import: ["" : 17, "com.microsoft" : 1]>
packed (float[n, 32] x) => (float[n, 8] y)
<uint8[8, 2, 8] codes, float[16] scales, float[32, 32] w>
{
  a = MatMul(x, w)
  b = Tanh(a)
  y = com.microsoft.MatMulNBits<K = 32, N = 8, bits = 4, block_size = 16, accuracy_level = 4>
      (b, codes, scales)
}
"""
MODES = settings(
    max_examples=6,
    deadline=None,
    derandomize=True,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)


@pytest.fixture
def watchdog():
    made = Watchdog()
    yield made
    made.close()


def _model(text, **stored):
    proto = parser.parse_model(text)
    for name, values in stored.items():
        kept = [each for each in proto.graph.initializer if each.name != name]
        del proto.graph.initializer[:]
        proto.graph.initializer.extend([*kept, numpy_helper.from_array(values, name)])
    return load(proto)


@pytest.fixture(scope="module")
def qdq(prepare):
    rng = np.random.default_rng(1)
    model = _model(
        QDQ,
        k=rng.integers(-127, 128, (4, 2, 3, 3), np.int8),
        b=rng.integers(-9000, 9000, 4, np.int32),
        m=rng.integers(-127, 128, (16, 5), np.int8),
    )
    x = rng.uniform(-1, 4, (12, 2, 6, 6)).astype(np.float32)
    return prepare(model, open_workload(model, {"x": x}), output="y", batch_size=12)


@pytest.fixture(scope="module")
def packed(prepare):
    rng = np.random.default_rng(2)
    model = _model(
        PACKED,
        codes=rng.integers(0, 256, (8, 2, 8), np.uint8),
        scales=rng.uniform(0.01, 0.1, 16).astype(np.float32),
        w=rng.normal(size=(32, 32)).astype(np.float32),
    )
    x = rng.normal(size=(10, 32)).astype(np.float32)
    return prepare(model, open_workload(model, {"x": x}), output="y", batch_size=10)


def _scenarios(sites, each, seed):
    """Flips in each of some sites, numbered through."""
    drawn = []
    for site in sites:
        space = FaultSpace([site], [BitFlip()])
        count = min(each, space.size)
        drawn += SampledScenarios(space, UniformSampler(n=count, seed=seed + len(drawn)))
    return [replace(fault, number=number) for number, fault in enumerate(drawn)]


@pytest.mark.parametrize("name", ["cut", "ports"])
def test_every_value_of_a_quantized_model_gives_what_the_baked_model_gives(qdq, closing, name):
    """Floats between integer operators among them, where all outcomes agree: nothing saturates."""
    context = qdq.context
    faults = _scenarios(context.sites, 2, 3)
    engine, bake = (closing(open_engine(each, context)) for each in (name, "bake"))
    found, wanted = (list(each.run_many(faults)) for each in (engine, bake))
    for fault, one, other in zip(faults, found, wanted, strict=True):
        told = f"{fault.sites}: {one.graph}"
        assert (one.counts.critical, one.counts.due) == (
            other.counts.critical,
            other.counts.due,
        ), told
        assert one.graph.differing == 0, told
    assert len({each.graph.graph for each in found}) > 1


@pytest.mark.parametrize("name", ["cut", "ports"])
def test_without_an_executable_graph_the_kernels_are_the_deployed_ones(
    qdq, closing, monkeypatch, name
):
    """Some optimised graphs can't be loaded again; the stored one then runs, or a baked model."""

    def refused(*_, **__):
        raise BackendError("onnxruntime does not load what it wrote")

    monkeypatch.setattr("onnxfi.engine.cut._candidates.open_executable", refused)
    context = qdq.context
    stored = [site for site in context.sites if site.kind.stored]
    weights = [site for site in stored if site.name in ("k", "m")]
    at_once = BitErrorRateSampler(ber=0.02, n=6, seed=1)
    faults = [
        *_scenarios(stored, 2, 7),
        *SampledScenarios(FaultSpace(stored, [BitFlip()]), at_once),
        *SampledScenarios(FaultSpace(weights, [BitFlip()]), at_once),
    ]
    faults = [replace(fault, number=number) for number, fault in enumerate(faults)]
    engine, bake = (closing(open_engine(each, context)) for each in (name, "bake"))
    found, wanted = (list(each.run_many(faults)) for each in (engine, bake))
    for fault, one, other in zip(faults, found, wanted, strict=True):
        told = f"{fault.sites}: {one.graph}"
        assert one.counts == other.counts, told
        assert one.graph.graph in ("stored", "baked"), told
        assert one.graph.differing == 0, told


def test_a_stored_graph_with_ports_that_answers_otherwise_is_not_used(packed, closing, monkeypatch):
    def refused(*_, **__):
        raise BackendError("onnxruntime does not load what it wrote")

    monkeypatch.setattr("onnxfi.engine.cut._candidates.open_executable", refused)
    engine = closing(open_engine("ports", packed.context))
    other = Agreement(samples=10, differing=3, rounding=0.5)
    monkeypatch.setattr(engine.own, "compare", lambda *_: other)
    (found,) = engine.run_many(_scenarios([packed.sites["w"]], 1, 1))
    assert found.graph.graph == "baked"
    assert "without faults it answers 3 of 10 samples otherwise" in found.graph.reason
    # What can't be baked runs all the same, and says so.
    (fault,) = _scenarios([packed.sites["b"]], 1, 1)
    groups = tuple(replace(group, sample=np.array([4])) for group in fault.groups)
    (kept,) = engine.run_many([replace(fault, groups=groups)])
    assert (kept.graph.graph, kept.graph.differing) == ("stored", 3)


def test_what_rounds_only_when_packed_stays_a_constant(packed, watchdog, closing):
    """A lifted scale would bring a float kernel with it: another arithmetic, not deployed."""
    routes = Routes(packed.context, watchdog)
    for name in ("codes", "scales"):
        use = routes.route([name]).use
        assert use.graph == "baked"
        assert "only while the tensor is a constant" in use.reason
    assert routes.route(["w"]).use.graph == "executable"
    sites = [packed.sites[name] for name in ("codes", "scales")]
    faults = _scenarios(sites, 6, 5)
    cut, bake = (closing(open_engine(each, packed.context)) for each in ("cut", "bake"))
    found, wanted = ([i.counts for i in each.run_many(faults)] for each in (cut, bake))
    assert found == wanted
    from onnxfi.engine import examine_engine

    refusal = examine_engine("lift", replace(packed.context, sites=tuple(sites)))
    assert "rounds its activations only while it is a constant" in refusal


@MODES
@given(numbers=st.sets(st.integers(0, 35), min_size=1, max_size=4))
def test_a_row_depends_on_its_scenario_alone(qdq, mixed, numbers):
    """Whatever else is in the campaign, its sites included."""
    faults, rows = mixed
    for name, wanted in rows.items():
        chosen = [faults[number] for number in sorted(numbers)]
        touched = {site for fault in chosen for site in fault.sites}
        sites = tuple(site for site in qdq.context.sites if site.name in touched)
        engine = open_engine(name, replace(qdq.context, sites=sites))
        try:
            found = [(each.counts, each.graph) for each in engine.run_many(chosen)]
        finally:
            engine.close()
        assert found == [wanted[number] for number in sorted(numbers)]


@pytest.fixture(scope="module")
def mixed(qdq):
    """Scenarios, some of which touch several sites, and what each engine makes of them."""
    singles = _scenarios(qdq.context.sites, 2, 7)
    pairs = [
        replace(one, groups=(*one.groups, *other.groups))
        for one, other in zip(singles[::3], singles[7::3], strict=False)
    ]
    faults = [replace(each, number=n) for n, each in enumerate([*pairs, *singles[1::2]])]
    assert len(faults) >= 36
    rows = {}
    for name in ("cut", "ports"):
        engine = open_engine(name, qdq.context)
        rows[name] = [(each.counts, each.graph) for each in engine.run_many(faults)]
        engine.close()
    return faults, rows


def test_a_graph_that_answers_otherwise_is_not_used(packed, watchdog, monkeypatch):
    other = Agreement(samples=10, differing=3, rounding=0.5)
    monkeypatch.setattr(OwnAnswers, "compare", lambda *_: other)
    routes = Routes(packed.context, watchdog)
    route = routes.route(["b"])
    assert route.use.graph == "baked"
    assert "without faults it answers 3 of 10 samples otherwise" in route.use.reason
    # What can't be baked runs all the same, and says so.
    kept = routes.route(["b"], bakeable=False)
    assert kept.opening is not None
    assert (kept.use.compared, kept.use.differing) == (10, 3)


def test_rounding_is_told_from_other_answers(packed, watchdog):
    own = OwnAnswers(packed.context, watchdog)
    golden = Session(packed.context.model, packed.context.settings).run(
        packed.context.workload.batch(0, 10, 10)
    )["y"]
    assert own.compare({"y": golden}) == Agreement(samples=10, differing=0, rounding=0.0)
    near = golden * np.float32(1 + ROUNDING / 10)
    assert own.compare({"y": near}).holds(exact=False)
    assert not own.compare({"y": near}).holds(exact=True)
    assert not own.compare({"y": golden * np.float32(1.1)}).holds(exact=False)
    turned = own.compare({"y": golden[:, ::-1].copy()})
    assert turned.differing
    assert not turned.holds(exact=False)
    lost = np.where(golden == golden.max(), np.float32("nan"), golden)
    assert own.compare({"y": lost}).rounding == np.inf


def test_an_error_of_ours_is_an_error(packed, closing, monkeypatch, caplog):
    """What onnxruntime refuses is a reason to take another graph; a rewrite that fails is none."""
    engine = closing(open_engine("cut", packed.context))
    fault = _scenarios([packed.sites["b"]], 1, 1)

    def refused(*_, **__):
        raise BackendError("onnxruntime writes no such graph")

    def broken(*_, **__):
        raise RewriteError("node 'x' is missing")

    monkeypatch.setattr("onnxfi.engine.cut._candidates.open_executable", refused)
    with caplog.at_level(logging.DEBUG, logger="onnxfi"):
        (found,) = engine.run_many(fault)
    assert found.graph.graph == "stored"
    assert "onnxruntime writes no such graph" in found.graph.reason
    assert "onnxruntime writes no such graph" in caplog.text
    monkeypatch.setattr("onnxfi.engine.cut._candidates.open_executable", broken)
    again = closing(open_engine("cut", packed.context))
    with pytest.raises(RewriteError, match=r"executable graph .* 'x' is missing.* --engine bake"):
        list(again.run_many(fault))
