"""Narrow products: some columns of a product of floats are those of the whole, bit for bit."""

from __future__ import annotations

import numpy as np
import pytest
from onnx import TensorProto, helper, numpy_helper

from onnxfi.engine import open_workload
from onnxfi.engine.cut import LateStart
from onnxfi.engine.executable import Opening, open_executable
from onnxfi.engine.runtime import Watchdog
from onnxfi.graph import load

DEPTH_COLUMNS = [(120, 360), (256, 50), (300, 97), (384, 384), (1030, 100)]


@pytest.fixture
def watchdog():
    made = Watchdog()
    yield made
    made.close()


def _network(depth, columns, *, rows=(), gemm=False):
    """A product whose columns are added up, so that faults in all of them reach the output."""
    rng = np.random.default_rng(depth + columns)
    matrix = rng.standard_normal((columns, depth) if gemm else (depth, columns), np.float32)
    bias = rng.standard_normal(columns, np.float32)
    product = (
        [helper.make_node("Gemm", ["x", "w", "b"], ["p"], name="p", transB=1)]
        if gemm
        else [
            helper.make_node("MatMul", ["x", "w"], ["m"], name="m"),
            helper.make_node("Add", ["m", "b"], ["p"], name="p"),
        ]
    )
    back = helper.make_node("MatMul", ["p", "v"], ["y"], name="y")
    last = rng.standard_normal((columns, 3), np.float32)
    tensors = {"w": matrix, "b": bias, "v": last}
    graph = helper.make_graph(
        [*product, back],
        "products",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, ["n", *rows, depth])],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, ["n", *rows, 3])],
        [numpy_helper.from_array(value, name) for name, value in tensors.items()],
    )
    opsets = [helper.make_opsetid("", 17)]
    return load(helper.make_model(graph, opset_imports=opsets, ir_version=9))


@pytest.fixture
def study(prepare):
    def make(depth, columns, samples=5, **kind):
        model = _network(depth, columns, **kind)
        shape = (samples, *kind.get("rows", ()), depth)
        values = np.random.default_rng(1).standard_normal(shape, np.float32)
        return prepare(model, open_workload(model, {"x": values}), output="y", batch_size=4)

    return make


@pytest.mark.parametrize(("depth", "columns"), DEPTH_COLUMNS)
@pytest.mark.parametrize("kind", [{"rows": (3,)}, {"gemm": True}, {}], ids=str)
def test_every_block_is_that_of_the_whole(study, watchdog, depth, columns, kind):
    """In all samples of a run and in a single row, for which kernels differ."""
    context = study(depth, columns, **kind).context
    stored = tuple(site for site in context.sites if site.kind.stored)
    late = LateStart(context, open_executable(context, Opening(mapped=stored), watchdog), watchdog)
    ((position, narrow),) = late.narrow.items()
    values, chain = late.clean.of(late.clean.first, {}), late.chain
    (read,) = chain.parts[position].reads
    for rows in (values[read], values[read][:1], values[read][:2]):
        whole = chain.run(position, {read: rows}, {})[narrow.made]
        for channels in narrow.blocks:
            feeds = narrow.feeds(
                {read: rows}, [narrow.slices(late.lifted.feeds, channels)], [channels]
            )
            found = chain.run_narrow(position, narrow, feeds)
            assert found.tobytes() == np.ascontiguousarray(whole[..., channels]).tobytes()


@pytest.mark.parametrize("kind", [{"rows": (3,)}, {"gemm": True}], ids=str)
def test_faults_give_what_the_deployed_model_gives(study, closing, scenario, kind):
    prepared = study(300, 97, **kind)
    cut, bake = (closing(prepared.engine(name, "w")) for name in ("cut", "bake"))
    rng = np.random.default_rng(2)
    for _ in range(12):
        faults = scenario(("w", int(rng.integers(300 * 97)), int(rng.integers(31))))
        for mine, wanted in zip(cut.results(faults), bake.results(faults), strict=True):
            for one, other in ((mine.golden, wanted.golden), (mine.faulty, wanted.faulty)):
                assert one["y"].tobytes() == other["y"].tobytes()
    late = cut.routes.late(cut.routes.route(["w"], single=True))
    assert not any(window.variants for window in late.clean.windows)


def test_faults_far_apart_run_whole(study, closing, scenario):
    prepared = study(300, 200)
    cut, bake = (closing(prepared.engine(name, "w")) for name in ("cut", "bake"))
    faults = scenario(("w", 0, 30), ("w", 199, 30))
    assert cut.run(faults).counts == bake.run(faults).counts
    late = cut.routes.late(cut.routes.route(["w"]))
    assert any(window.variants for window in late.clean.windows)
