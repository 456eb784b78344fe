"""What engines hold: one arena, golden values within the limit, nothing that is not needed."""

from __future__ import annotations

import gc
import weakref

import numpy as np
import pytest
from onnx import TensorProto, helper, numpy_helper, save_model

from onnxfi.engine import EngineSettings, Session, open_workload
from onnxfi.engine.cut import LateStart
from onnxfi.engine.engines import EngineBase
from onnxfi.engine.golden import Injection
from onnxfi.engine.runtime import share_arena
from onnxfi.errors import BackendError
from onnxfi.graph import load
from onnxfi.outcome import OutcomeCounts

GEMMS = """
<ir_version: 10, opset_import: ["" : 17]>
gemms (float[batch, 8] x) => (float[batch, 8] y)
{
  a = Gemm(x, w1)
  b = Relu(a)
  c = Gemm(b, w2)
  d = Relu(c)
  y = Gemm(d, w3)
}
"""
PACKED = ("w1", "w2", "w3")


@pytest.fixture(scope="session")
def gemms(prepare):
    """Three matrix products; lifted for a scenario, each has golden values of its own."""
    from onnx import parser

    rng = np.random.default_rng(5)
    proto = parser.parse_model(GEMMS)
    for name in PACKED:
        values = rng.normal(size=(8, 8)).astype(np.float32)
        proto.graph.initializer.append(numpy_helper.from_array(values, name))
    model = load(proto)
    x = rng.normal(size=(12, 8)).astype(np.float32)
    return prepare(model, open_workload(model, {"x": x}), batch_size=4)


def _late(engine, site) -> LateStart:
    return engine.routes.late(engine.routes.route([site]))


def test_sessions_share_an_arena(classifier, images):
    """Outputs lie in it: they have to outlive their session, and what others do with it."""
    feeds = images.batch(0, 8)
    sessions = [Session(classifier, EngineSettings()) for _ in range(3)]
    assert share_arena.cache_info().misses == 1
    (kept,) = sessions.pop().run(feeds).values()
    before = kept.copy()
    gc.collect()
    for session in (*sessions, Session(classifier, EngineSettings())):
        for stop in (1, 11, 3):
            session.run(images.batch(0, stop))
    np.testing.assert_array_equal(kept, before)
    (again,) = sessions[0].run(feeds).values()
    np.testing.assert_array_equal(again, before)


def test_golden_values_keep_to_what_the_limit_leaves(prepared, closing, scenario):
    ample = closing(prepared.engine("cut"))
    faults = [scenario((site, 1, 30)) for site in ("w1", "r1", "t2", "f1")]
    wanted = [each.counts for each in ample.run_many(faults)]
    late = _late(ample, "r1")
    window = late.clean.nbytes // 3  # 11 samples in batches of 4
    limit = late.nbytes - late.clean.nbytes + 5 * window // 2
    tight = closing(prepared.engine("cut", memory_limit_bytes=limit))
    assert [each.counts for each in tight.run_many(faults)] == wanted
    assert 0 < _late(tight, "r1").clean.nbytes <= 5 * window // 2
    assert _late(tight, "r1").nbytes <= limit
    none = closing(prepared.engine("cut", memory_limit_bytes=0))
    assert [each.counts for each in none.run_many(faults)] == wanted
    assert 0 < _late(none, "r1").clean.nbytes <= 1.1 * window, "the window in use stays"


def test_golden_values_of_lifted_tensors_keep_to_it_too(gemms, closing, scenario):
    faults = [scenario((site, 3, bit)) for bit in (20, 30) for site in PACKED]
    ample, none = (
        closing(gemms.engine("cut", *PACKED, memory_limit_bytes=limit)) for limit in (1 << 30, 0)
    )
    wanted = [each.counts for each in ample.run_many(faults)]
    assert [each.counts for each in none.run_many(faults)] == wanted
    held, least = _late(ample, "w1"), _late(none, "w1")
    assert held.graph.packed.issuperset(held.graph.images)
    windows = held.clean.windows
    assert len(windows) == 3
    assert [window.variants for window in windows] == [3, 3, 3]
    assert [window.variants for window in least.clean.windows] == [1]


def test_graphs_hold_shapes_and_not_values(prepared, closing):
    observation = _late(closing(prepared.engine("cut")), "r1").graph.observation
    assert observation.examples["r1"].shape[1:] == (4, 8, 8)
    assert observation.examples["r1"].dtype == np.float32
    assert all(value.strides == (0,) * value.ndim for value in observation.examples.values())


def test_places_are_held_once(models, prepare, closing):
    model = load(models / "resnet8_fashion_fp32.onnx")
    workload = open_workload(model, "random:4:1")
    late = _late(closing(prepare(model, workload).engine("cut")), model.index.nodes[0].outputs[0])
    moved = [p.position for p in late.graph.places.values() if p.position is not None]
    if not moved:
        pytest.skip("this processor's kernels take images as they are stored")
    shared = {id(position): position for position in moved}
    assert len(shared) < len(moved)
    assert all(position.base is None for position in shared.values())
    assert late.graph.nbytes > sum(position.nbytes for position in shared.values())


def test_a_graph_that_is_dropped_is_freed_at_once(prepared, closing):
    engine = closing(prepared.engine("cut", memory_limit_bytes=0))
    gc.collect()
    gc.disable()
    try:
        held = weakref.ref(_late(engine, "r1"))
        assert held() is not None
        engine.routes.clear()
        assert held() is None
    finally:
        gc.enable()


class Grouped(EngineBase):
    """Scenarios with even numbers need something else than those with odd ones."""

    name = "grouped"
    batch_outer = True

    def __init__(self, context, log):
        super().__init__(context)
        self._log = log

    def _shared_by(self, scenario):
        return scenario.number % 2

    def graph_of(self, scenario):
        return None

    def arm(self, scenario):
        self._log.append(scenario.number)
        return None, ()

    def close(self):
        self._watchdog.close()


def test_scenarios_that_share_a_graph_run_side_by_side(prepared, closing, scenario, monkeypatch):
    """The others begin when these are done, so that the graphs of both needn't be there."""
    log: list[int] = []
    monkeypatch.setattr(
        "onnxfi.engine.engines._base.in_turns", lambda together: log.append(-len(together))
    )
    monkeypatch.setattr(
        "onnxfi.engine.engines._base.Counted.injection",
        property(lambda _: Injection(counts=OutcomeCounts(samples=0), run_s=0.0)),
    )
    engine = closing(Grouped(prepared.context, log))
    list(engine.run_many([scenario(number=number) for number in (3, 0, 5, 2)]))
    assert log == [3, 5, -2, 0, 2, -2]


def test_one_graph_in_use_has_golden_values(gemms, closing, scenario):
    """Faults in computed values and those in stored ones have graphs of their own."""
    engine = closing(gemms.engine("cut"))
    main = _late(engine, "b")
    assert main.clean.nbytes
    other = _late(engine, "w2")
    assert other is not main
    assert not main.clean.nbytes
    other.clean.clear()
    list(engine.run_many([scenario(("w2", 0, 30)), scenario(("b", 0, 30))]))
    assert main.clean.nbytes
    assert not other.clean.nbytes


@pytest.fixture
def external(tmp_path):
    """A convolution and a matrix product whose data lies beside the file."""
    rng = np.random.default_rng(2)
    stored = {"w": (4, 3, 3, 3), "m": (36, 5)}
    graph = helper.make_graph(
        [
            helper.make_node("Conv", ["x", "w"], ["c"], name="conv"),
            helper.make_node("Relu", ["c"], ["r"], name="relu"),
            helper.make_node("Flatten", ["r"], ["f"], name="flatten"),
            helper.make_node("MatMul", ["f", "m"], ["y"], name="product"),
        ],
        "g",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, ["n", 3, 5, 5])],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, ["n", 5])],
        [
            numpy_helper.from_array(rng.normal(size=shape).astype(np.float32), name)
            for name, shape in stored.items()
        ],
    )
    save_model(
        helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=10),
        tmp_path / "m.onnx",
        save_as_external_data=True,
        location="m.bin",
        size_threshold=0,
    )
    return load(tmp_path / "m.onnx")


@pytest.mark.parametrize("replay", [True, False], ids=["executable", "stored"])
def test_external_data(external, prepare, closing, scenario, monkeypatch, replay):
    """Models of over 2 GiB have no executable graph in one file: then the stored one is cut."""
    if not replay:

        def optimized(model, settings):
            raise BackendError("the model exceeds the maximum protobuf size of 2 GiB")

        monkeypatch.setattr("onnxfi.engine.executable._opening.optimized", optimized)
    x = np.random.default_rng(3).normal(size=(6, 3, 5, 5)).astype(np.float32)
    prepared = prepare(external, open_workload(external, {"x": x}), batch_size=4)
    faults = [scenario((site, 3, 30)) for site in ("w", "m", "r", "f", "x")]
    cut, bake = (closing(prepared.engine(name)) for name in ("cut", "bake"))
    found = [each.counts for each in cut.run_many(faults)]
    assert _late(cut, "w").graph.replay is replay
    assert found == [bake.run(each).counts for each in faults]
    assert any(counts.critical for counts in found)
