"""Models of 2 GiB and more, with the limits of a file and a map lowered to some kilobytes."""

from __future__ import annotations

import numpy as np
import onnx
import onnxruntime as ort
import pytest
from click.testing import CliRunner
from onnx import TensorProto, helper, numpy_helper

import onnxfi as fi
from onnxfi.cli import cli
from onnxfi.errors import ConfigError

ROWS, WIDTH = 300, 16
OUTCOMES = ("scenario", "masked", "tolerable", "critical", "due_nonfinite", "due_exception")


@pytest.fixture
def folder(tmp_path):
    """An embedding and two small layers, all of them in an external file, and samples."""
    rng = np.random.default_rng(0)
    stored = {"table": (ROWS, WIDTH), "mid": (WIDTH, WIDTH), "head": (WIDTH, 6)}
    nodes = [
        helper.make_node("Gather", ["table", "ids"], ["rows"]),
        helper.make_node("ReduceMean", ["rows"], ["mean"], axes=[1], keepdims=0),
        helper.make_node("MatMul", ["mean", "mid"], ["hidden"]),
        helper.make_node("Relu", ["hidden"], ["active"]),
        helper.make_node("MatMul", ["active", "head"], ["y"]),
    ]
    graph = helper.make_graph(
        nodes,
        "g",
        [helper.make_tensor_value_info("ids", TensorProto.INT64, ["n", 3])],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, ["n", 6])],
        [
            numpy_helper.from_array(rng.normal(size=shape).astype(np.float32), name)
            for name, shape in stored.items()
        ],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    path = tmp_path / "m.onnx"
    onnx.save(model, path, save_as_external_data=True, location="m.bin", size_threshold=0)
    np.savez(tmp_path / "in.npz", ids=rng.integers(0, ROWS, (6, 3)))
    return tmp_path


@pytest.fixture
def small(bounds):
    """A file holds less than the model, a map less than the table."""
    bounds(file_bytes=10_000, held_bytes=512, mapped_bytes=512, traced_elements=1_000)


def counts(folder, name, **chosen):
    campaign = fi.Campaign.create(
        folder / name,
        model=folder / "m.onnx",
        inputs=folder / "in.npz",
        criterion="top1",
        optimization="disabled",
        sampler=fi.UniformSampler(n=60),
        **chosen,
    )
    campaign.run()
    return [tuple(row[key] for key in OUTCOMES) for row in campaign.rows()]


def test_every_engine_that_can_gives_the_rows_of_the_whole_model(folder, request):
    whole = counts(folder, "whole", engine="bake")
    request.getfixturevalue("small")
    assert any(row[3] for row in whole)
    for engine in ("auto", "bake", "ports", "cut"):
        assert counts(folder, engine, engine=engine) == whole
    with pytest.raises(
        ConfigError, match=r"one file holds less than 2 GiB; engines that can: bake"
    ):
        counts(folder, "lift", engine="lift")
    assert not (folder / "lift").exists()


def test_a_table_that_no_map_is_kept_of_is_baked(folder, small):
    with pytest.raises(ConfigError, match=r"4,800 elements, and no map is kept of more than 1,000"):
        counts(folder, "c", engine="cut", include=["table"])
    assert not (folder / "c").exists()


@pytest.mark.parametrize("site", ["table", "head"])
@pytest.mark.parametrize("elsewhere", [False, True])
def test_inject_writes_an_ordinary_model(folder, small, site, elsewhere):
    output = folder / "out" / "faulty.onnx" if elsewhere else folder / "faulty.onnx"
    output.parent.mkdir(exist_ok=True)
    words = ["sample", folder / "m.onnx", "-o", folder / "f.jsonl", "-n", "1", "--include", site]
    inject = ["inject", folder / "m.onnx", folder / "f.jsonl", "-o", output]
    for call in (words, inject):
        found = CliRunner().invoke(cli, [str(word) for word in call])
        assert found.exit_code == 0, found.output
    beside = output.with_name("faulty.onnx.data")
    assert ("in faulty.onnx.data, which" in found.output) is beside.exists()
    assert beside.exists() is (elsewhere or site == "table")
    before, after = (_tensors(path) for path in (folder / "m.onnx", output))
    changed = {name: int((before[name] != after[name]).sum()) for name in before}
    assert changed == {**dict.fromkeys(before, 0), site: 1}
    ids = np.load(folder / "in.npz")["ids"]
    ort.InferenceSession(str(output)).run(None, {"ids": ids})
    if not elsewhere:
        assert output.stat().st_size + (beside.stat().st_size if beside.exists() else 0) < 20_000
    if beside.exists():
        output.unlink()
        found = CliRunner().invoke(cli, [str(word) for word in inject])
        assert found.exit_code == 1
        assert "faulty.onnx.data' exists already" in found.output


def _tensors(path):
    return {
        tensor.name: numpy_helper.to_array(tensor).view(np.uint32)
        for tensor in onnx.load(path).graph.initializer
    }
