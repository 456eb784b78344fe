"""What a sample is: arrays that users have, on models that keep samples apart and others."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from onnx import numpy_helper

from onnxfi.engine import EngineSettings, Session, golden_run, open_workload, profile
from onnxfi.errors import ConfigError, WorkloadError
from onnxfi.graph import Model
from onnxfi.workload import sample_choice, sample_text


def _floats(*shape: int) -> np.ndarray:
    return np.random.default_rng(7).normal(size=shape).astype(np.float32)


def _graph(inputs: str, outputs: str, body: str, stored: str = "") -> str:
    return f"""
    <ir_version: 10, opset_import: ["" : 17]>
    g ({inputs}) => ({outputs})
    <{stored or "float unused = {1.0}"}>
    {{ {body} }}
    """


def _fault_free(model: Model, arrays: Any, *axes: str, **said: Any) -> tuple[Any, dict[str, Any]]:
    """The workload, and outputs with samples first."""
    workload = open_workload(model, arrays, choice=sample_choice(axes, **said))
    found = profile(model, workload, EngineSettings(), [])
    golden = golden_run(model, workload, found, EngineSettings())
    return workload, {name: golden.samples(name) for name in found.outputs}


def _plain(model: Model, arrays: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
    """What onnxruntime gives on the arrays as they are."""
    feeds = {name: values for name, values in arrays.items() if name != "labels"}
    return dict(Session(model, EngineSettings()).run(feeds))


def _line(model: Model, arrays: Any, *axes: str, **said: Any) -> str:
    workload = open_workload(model, arrays, choice=sample_choice(axes, **said))
    return sample_text(workload, profile(model, workload, EngineSettings(), []).outputs)


# A cloud of points: a layer on each point, the largest over all of them.
CLOUDS = """
  point = MatMul(x, w)
  cloud = ReduceMax<axes = [{axis}], keepdims = 0>(point)
  y = Neg(cloud)
"""
W = "float[3, 2] w = {1.0, -2.0, 3.0, 0.5, -1.0, 2.0}"
# Steps one after another: what comes out depends on all steps before.
STEPS = "sums = CumSum(x, first) y = ReduceSum<keepdims = 0>(sums, axes)"
FIRST = "int64 first = {0}, int64[1] axes = {0}"


@pytest.mark.parametrize("dims", ["batch, N", "N, points", "B, N", "n, batch", "P, P2", "?, ?"])
def test_names_of_dimensions_decide_nothing(model_of, dims):
    first, second = dims.split(", ")
    text = _graph(f'float["{first}", "{second}", 3] x', f'float["{first}", 2] y',
                  CLOUDS.format(axis=1), W)  # fmt: skip
    model, arrays = model_of(text), {"x": _floats(6, 16, 3)}
    workload, outputs = _fault_free(model, arrays)
    assert workload.samples == 6
    np.testing.assert_array_equal(outputs["y"], _plain(model, arrays)["y"])


def test_points_of_one_cloud_are_no_samples(model_of):
    model = model_of(_graph("float[N, 3] x", "float[2] y", CLOUDS.format(axis=0), W))
    arrays = {"x": _floats(16, 3)}
    with pytest.raises(WorkloadError, match=r"16 samples \(--batch-axis x=0\)") as told:
        open_workload(model, arrays)
    for option in ("--whole-input x", "--samples-are-runs"):
        assert option in str(told.value)
    whole, outputs = _fault_free(model, arrays, whole=["x"])
    assert whole.samples == 1
    np.testing.assert_array_equal(outputs["y"][0], _plain(model, arrays)["y"])
    clouds = {"x": _floats(5, 16, 3)}
    for said in ({}, {"runs": True}):
        runs, outputs = _fault_free(model, clouds, **said)
        assert runs.samples == 5
        for cloud, answer in zip(clouds["x"], outputs["y"], strict=True):
            np.testing.assert_array_equal(answer, _plain(model, {"x": cloud})["y"])
    assert _fault_free(model, arrays, "x=0")[0].samples == 16


def test_points_that_know_of_each_other_are_no_samples(model_of):
    body = "top = ReduceMax<axes = [0], keepdims = 1>(x) y = Sub(x, top)"
    model = model_of(_graph("float[N, 3] x", "float[N, 3] y", body))
    with pytest.raises(WorkloadError, match="replacing one sample changes output 'y' of others"):
        open_workload(model, {"x": _floats(16, 3)})


def test_one_label_says_that_all_is_one_sample(model_of):
    model = model_of(_graph("float[N, 3] x", "float[2] y", CLOUDS.format(axis=0), W))
    arrays = {"x": _floats(16, 3), "labels": np.array([1])}
    assert open_workload(model, arrays).samples == 1


@pytest.mark.parametrize("steps", ["T", "N", "batch", "?"])
def test_time_first_models(model_of, steps):
    model = model_of(_graph(f'float["{steps}", B, 3] x', "float[B, 3] y", STEPS, FIRST))
    alike = {"x": _floats(5, 7, 3)}
    with pytest.raises(WorkloadError, match="can be read in 2 ways") as told:
        open_workload(model, alike)
    assert "7 samples (--batch-axis x=1)" in str(told.value)
    assert "5 samples (--batch-axis x=0:1)" in str(told.value)
    # Laid out as the model takes them.
    for said in (("x=1",), ()):
        labels = {} if said else {"labels": np.arange(7)}
        workload, outputs = _fault_free(model, alike | labels, *said)
        assert workload.samples == 7
        np.testing.assert_array_equal(outputs["y"], _plain(model, alike)["y"])
    # Samples first.
    for said in (("x=0:1",), ()):
        labels = {} if said else {"labels": np.arange(5)}
        workload, outputs = _fault_free(model, alike | labels, *said)
        moved = {"x": np.ascontiguousarray(np.moveaxis(alike["x"], 0, 1))}
        np.testing.assert_array_equal(outputs["y"], _plain(model, moved)["y"])
    assert _line(model, alike, "x=1") == "x [5, 3] → y [3]; batch axis x:1 y:0"


def test_a_fixed_number_of_steps_says_where_samples_are(model_of):
    model = model_of(_graph("float[5, B, 3] x", "float[B, 3] y", STEPS, FIRST))
    x = _floats(5, 7, 3)
    for arrays in ({"x": x}, {"x": np.moveaxis(x, 1, 0)}):
        workload, outputs = _fault_free(model, arrays)
        assert workload.samples == 7
        np.testing.assert_array_equal(outputs["y"], _plain(model, {"x": x})["y"])


def test_as_many_steps_as_samples_are_not_told_apart(model_of):
    model = model_of(_graph("float[T, B, 3] x", "float[B, 3] y", STEPS, FIRST))
    with pytest.raises(WorkloadError, match="can be read in 2 ways"):
        open_workload(model, {"x": _floats(6, 6, 3), "labels": np.arange(6)})


GAIN = "h = MatMul(x, w) y = Mul(h, gain)"


def test_one_number_a_sample_beside_a_batch(model_of):
    model = model_of(_graph("float[n, 3] x, float gain", "float[n, 2] y", GAIN, W))
    arrays = {"x": _floats(8, 3), "gain": np.arange(1, 9, dtype=np.float32)}
    workload, outputs = _fault_free(model, arrays)
    assert workload.samples == 8
    assert outputs["y"].shape == (8, 2)
    for place, answer in enumerate(outputs["y"]):
        one = {"x": arrays["x"][place : place + 1], "gain": arrays["gain"][place, ...]}
        np.testing.assert_array_equal(answer, _plain(model, one)["y"][0])
    assert _line(model, arrays) == "x [3], gain [] → y [2]; batch axis x:0 y:0; one a run: gain"
    same = {"x": arrays["x"], "gain": np.array(2, np.float32)}
    assert _fault_free(model, same)[0].samples == 8
    every = {"x": arrays["x"][:5], "gain": arrays["gain"]}
    workload, outputs = _fault_free(model, every)
    assert (workload.samples, outputs["y"].shape) == (8, (8, 5, 2))  # all of x for each gain


def test_two_inputs_of_one_name(model_of):
    body = "f = Cast<to = 1>(mask) y = Mul(x, f)"
    inputs = "float[batch, seq] x, int64[batch, seq] mask"
    model = model_of(_graph(inputs, "float[batch, seq] y", body))
    arrays = {"x": _floats(4, 9), "mask": np.ones((4, 9), np.int64)}
    workload, outputs = _fault_free(model, arrays)
    assert dict(workload.axes) == {"x": 0, "mask": 0}
    np.testing.assert_array_equal(outputs["y"], _plain(model, arrays)["y"])
    with pytest.raises(WorkloadError, match="disagree on the number of samples"):
        open_workload(model, arrays | {"mask": np.ones((3, 9), np.int64)})


def test_two_inputs_of_two_names(model_of):
    body = "turned = Transpose<perm = [1, 0]>(boxes) y = MatMul(x, turned)"
    model = model_of(_graph("float[n, 3] x, float[boxes, 3] boxes", "float[n, boxes] y", body))
    arrays = {"x": _floats(5, 3), "boxes": _floats(9, 3)}
    with pytest.raises(WorkloadError, match=r"5 samples .* 9 samples"):
        open_workload(model, arrays)
    workload, outputs = _fault_free(model, arrays, whole=["boxes"])
    assert workload.samples == 5
    np.testing.assert_allclose(outputs["y"], _plain(model, arrays)["y"], rtol=1e-5)
    assert "the same for all: boxes [9, 3]" in _line(model, arrays, whole=["boxes"])


def test_a_name_that_stands_for_two_sizes_is_none(model_of):
    model = model_of(_graph("float[d, d, 3] x", "float[d, 2] y", CLOUDS.format(axis=1), W))
    arrays = {"x": _floats(6, 16, 3)}
    workload, outputs = _fault_free(model, arrays)
    assert workload.samples == 6
    np.testing.assert_array_equal(outputs["y"], _plain(model, arrays)["y"])


def test_nodes_of_a_graph_are_no_samples(model_of):
    model = model_of(
        _graph("float[N, 3] x, float[N, N] edges", "float[N, 3] y", "y = MatMul(edges, x)")
    )
    arrays = {"x": _floats(6, 3), "edges": _floats(6, 6)}
    with pytest.raises(WorkloadError, match="one sample, all of it in one run"):
        open_workload(model, arrays)
    workload, outputs = _fault_free(model, arrays, whole=["x", "edges"])
    assert workload.samples == 1
    np.testing.assert_array_equal(outputs["y"][0], _plain(model, arrays)["y"])


def test_fixed_shapes_are_one_run(model_of):
    """A picture of 4 by 3 with one answer: its rows are no samples."""
    picture = model_of(_graph("float[4, 3] x", "float[2] y", CLOUDS.format(axis=0), W))
    arrays = {"x": _floats(4, 3)}
    workload, outputs = _fault_free(picture, arrays)
    assert workload.samples == 1
    np.testing.assert_array_equal(outputs["y"][0], _plain(picture, arrays)["y"])
    rows = model_of(_graph("float[4, 3] x", "float[4, 2] y", "y = MatMul(x, w)", W))
    workload, outputs = _fault_free(rows, arrays)
    assert (workload.samples, workload.fixed_batch) == (4, 4)
    np.testing.assert_array_equal(outputs["y"], _plain(rows, arrays)["y"])
    with pytest.raises(WorkloadError, match="what a sample is"):
        open_workload(picture, {"x": _floats(10, 3)})


def test_rows_that_depend_on_their_place_are_no_samples(model_of):
    stored = "float[4, 3] places = {1., 2., 3., 4., 5., 6., 7., 8., 9., 10., 11., 12.}"
    model = model_of(_graph("float[4, 3] x", "float[4, 3] y", "y = Mul(x, places)", stored))
    arrays = {"x": _floats(4, 3)}
    workload, outputs = _fault_free(model, arrays)
    assert workload.samples == 1
    np.testing.assert_array_equal(outputs["y"][0], _plain(model, arrays)["y"])


def test_ranges_over_a_run_leave_samples_samples(model_of):
    """Dynamic quantization rounds by all samples of a run: they run alone."""
    body = """
      q, scale, zero = DynamicQuantizeLinear(x)
      product = MatMulInteger(q, codes, zero)
      real = Cast<to = 1>(product)
      y = Mul(real, scale)
    """
    model = model_of(_graph("float[batch, 3] x", "float[batch, 2] y", body,
                            "int8[3, 2] codes = {1, -2, 3, 4, -5, 6}"))  # fmt: skip
    arrays = {"x": _floats(6, 3)}
    workload, outputs = _fault_free(model, arrays)
    assert workload.samples == 6
    for place, answer in enumerate(outputs["y"]):
        alone = {"x": arrays["x"][place : place + 1]}
        np.testing.assert_array_equal(answer, _plain(model, alone)["y"][0])


def test_an_output_of_the_whole_batch(model_of):
    body = "y = Neg(x) loss = ReduceMean<keepdims = 0>(x)"
    model = model_of(_graph("float[batch, 3] x", "float[batch, 3] y, float loss", body))
    with pytest.raises(WorkloadError, match="changes output 'loss' of others"):
        open_workload(model, {"x": _floats(6, 3)})


def test_axes_of_outputs_are_checked(model_of):
    model = model_of(_graph("float[batch, 3] x", "float[batch, 3] y", "y = Neg(x)"))
    arrays = {"x": _floats(6, 3)}
    assert _line(model, arrays, "y=0").endswith("batch axis x:0 y:0")
    with pytest.raises(ConfigError, match=r"output 'y' .* no samples on axis 1.*runs show axis 0"):
        _fault_free(model, arrays, "y=1")
    with pytest.raises(ConfigError, match="which the model has not; did you mean x"):
        open_workload(model, arrays, choice=sample_choice(["xx=0"]))
    with pytest.raises(ConfigError, match="has 2 axes, so none is number 2"):
        open_workload(model, arrays, choice=sample_choice(["x=2"]))


def test_random_samples(model_of):
    clouds = model_of(_graph("float[B, N, 3] x", "float[B, 2] y", CLOUDS.format(axis=1), W))
    assert open_workload(clouds, "random:4:1:N=9").samples == 4
    with pytest.raises(WorkloadError, match=r"dimension 1 of input 'x'.*random:4:1:N=16"):
        open_workload(clouds, "random:4:1")
    runs = open_workload(clouds, "random:4:1:N=9,B=2")
    assert (runs.stacked, runs.batch(0, 1)["x"].shape) == (True, (2, 9, 3))
    steps = model_of(_graph("float[T, B, 3] x", "float[B, 3] y", STEPS, FIRST))
    workload = open_workload(steps, "random:4:1:T=5")
    assert (workload.samples, dict(workload.axes)) == (4, {"x": 1})
    cloud = model_of(_graph("float[N, 3] x", "float[2] y", CLOUDS.format(axis=0), W))
    with pytest.raises(WorkloadError, match="--samples-are-runs"):
        open_workload(cloud, "random:4:1")
    assert open_workload(cloud, "random:4:1:N=9").batch(0, 1)["x"].shape == (9, 3)


def test_each_set_of_tensors_is_a_run(model_of, tmp_path):
    sets = [_floats(2, 3), _floats(2, 3) + 1, _floats(2, 3) + 2]
    for number, values in enumerate(sets):
        folder = tmp_path / f"test_data_set_{number}"
        folder.mkdir()
        tensor = numpy_helper.from_array(values)
        (folder / "input_0.pb").write_bytes(tensor.SerializeToString())
    cloud = model_of(_graph("float[N, 3] x", "float[2] y", CLOUDS.format(axis=0), W))
    workload, outputs = _fault_free(cloud, tmp_path)
    assert workload.samples == 3
    for values, answer in zip(sets, outputs["y"], strict=True):
        np.testing.assert_array_equal(answer, _plain(cloud, {"x": values})["y"])
    rows = model_of(_graph("float[N, 3] x", "float[N, 2] y", "y = MatMul(x, w)", W))
    workload, outputs = _fault_free(rows, tmp_path)
    assert workload.samples == 6  # inputs and outputs share an axis
    np.testing.assert_array_equal(outputs["y"], _plain(rows, {"x": np.concatenate(sets)})["y"])
    assert _fault_free(rows, tmp_path, runs=True)[0].samples == 3
