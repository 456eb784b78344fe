"""The profile: batch axes, samples that share a run or must not, batch sizes."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from onnxfi.engine import EngineSettings, open_workload, profile
from onnxfi.errors import GoldenError, WorkloadError
from onnxfi.faults import SampleLayout
from onnxfi.graph import load
from onnxfi.workload import sample_choice


def _layout(*shape: int, axis: int | None = 0) -> SampleLayout:
    return SampleLayout(shape=shape, batch_axis=axis)


def _profile(model, arrays, *, candidates=None, choice=None, **settings):
    asked = EngineSettings(**settings)
    workload = open_workload(model, arrays, choice=choice, settings=asked)
    return profile(model, workload, asked, candidates)


def _floats(*shape: int) -> np.ndarray:
    return np.random.default_rng(1).normal(size=shape).astype(np.float32)


def test_an_ordinary_network(classifier, images):
    found = profile(classifier, images, EngineSettings())
    assert found.batch_size == 11
    assert found.rows_independent
    assert found.layouts["r1"] == _layout(1, 4, 8, 8)
    assert found.layouts["t2"] == _layout(4, 1, 4, 4, axis=1)
    assert found.layouts["image"] == _layout(1, 3, 8, 8)
    assert found.outputs == {"scores": _layout(1, 5)}
    assert not found.left_out


def test_only_the_values_asked_for(classifier, images):
    found = profile(classifier, images, EngineSettings(), ["t2", "image"])
    assert set(found.layouts) == {"image", "t2"}
    assert set(profile(classifier, images, EngineSettings(), []).layouts) == {"image"}


def test_several_rows_a_sample_and_values_of_the_run(model_of):
    model = model_of("""
    <ir_version: 10, opset_import: ["" : 17]>
    g (float[batch, 4, 3] x) => (float[batch, 4, 2] y)
    <float[3, 2] w = {1.0, 2.0, 3.0, 4.0, 5.0, 6.0}, int64[2] rows = {-1, 3}, float one = {1.0},
     int64[3] back = {-1, 4, 2}>
    {
      r = Reshape(x, rows)
      k = Add(w, one)
      s = Shape(x)
      m = MatMul(r, k)
      y = Reshape(m, back)
    }
    """)
    found = _profile(model, {"x": _floats(5, 4, 3)})
    assert found.layouts["r"] == _layout(4, 3)
    assert found.layouts["m"] == _layout(4, 2)
    assert found.layouts["k"] == _layout(3, 2, axis=None)
    # The batch size itself depends on the batch, though no element is any one sample's.
    assert found.layouts["s"] == _layout(3, axis=None)
    assert found.batch_size == 5


def test_time_first_rows(model_of):
    model = model_of(
        """
    <ir_version: 10, opset_import: ["" : 17]>
    g (float[batch, 4, 3] x) => (float[batch, 3] y)
    <int64[2] rows = {-1, 3}, int64[3] steps = {4, -1, 3}>
    {
      t = Transpose<perm = [1, 0, 2]>(x)
      r = Reshape(t, rows)
      n = Neg(r)
      u = Reshape(n, steps)
      y = ReduceSum<keepdims = 0>(u, axis)
    }
    """.replace("4, -1, 3}", "4, -1, 3}, int64[1] axis = {0}")
    )
    found = _profile(model, {"x": _floats(5, 4, 3)})
    assert found.layouts["n"] == _layout(4, 1, 3, axis=1)  # row = step * samples + sample
    assert found.layouts["u"] == _layout(4, 1, 3, axis=1)
    assert found.batch_size == 5


def test_batch_on_axis_one(model_of):
    model = model_of("""
    <ir_version: 10, opset_import: ["" : 17]>
    g (float[p, q, 3] x) => (float[p, q, 3] y)
    <int64 axis = {0}>
    { y = CumSum(x, axis) }
    """)
    found = _profile(model, {"x": _floats(5, 4, 3), "labels": np.arange(5)})
    assert found.layouts["x"] == _layout(4, 1, 3, axis=1)
    assert found.outputs["y"] == _layout(4, 1, 3, axis=1)
    assert found.batch_size == 5


MIXING = {
    "mean over the batch": "m = ReduceMean<axes = [0], keepdims = 1>(x) y = Sub(x, m)",
    "running sum": "y = CumSum(x, axis)",
    "running sum from the end": "y = CumSum<reverse = 1>(x, axis)",
    "largest of all": "m = ReduceMax<keepdims = 0>(x) y = Div(x, m)",
    "similarity": "t = Transpose<perm = [1, 0]>(x) s = MatMul(x, t) y = MatMul(s, x)",
}


@pytest.mark.parametrize("body", MIXING.values(), ids=MIXING.keys())
def test_models_that_mix_samples_run_one_at_a_time(model_of, body):
    model = model_of(f"""
    <ir_version: 10, opset_import: ["" : 17]>
    g (float[batch, 3] x) => (float[batch, 3] y)
    <int64 axis = {{0}}>
    {{ {body} }}
    """)
    with pytest.raises(WorkloadError, match=r"can't be told .* changes output 'y' of others"):
        _profile(model, {"x": _floats(5, 3)})
    said = sample_choice(["x=0"])
    for asked in (None, 4):
        found = _profile(model, {"x": _floats(5, 3)}, choice=said, batch_size=asked)
        assert found.batch_size == 1
        assert not found.rows_independent
        assert found.reason == "replacing one sample changes output 'y' of others"
        assert found.outputs["y"] == _layout(1, 3)
        assert all(layout.run_shape(1) == layout.shape for layout in found.layouts.values())


@pytest.mark.parametrize("name", ["lenet5_mnist_int8_dynamic", "resnet8_fashion_int8_dynamic"])
def test_dynamic_quantization_mixes_samples(models, name):
    model = load(models / f"{name}.onnx")
    data = "mnist" if "mnist" in name else "fashion"
    workload = open_workload(model, models / f"{data}_test1000.npz")
    found = profile(model, workload, EngineSettings(), [])
    assert (found.batch_size, found.rows_independent) == (1, False)


def test_a_value_that_mixes_samples_inside_has_no_layout(model_of):
    model = model_of("""
    <ir_version: 10, opset_import: ["" : 17]>
    g (int64[batch, 3] x) => (int64[batch, 3] y)
    <int64 axis = {0}>
    { c = CumSum(x, axis)  z = Sub(c, c)  y = Add(x, z) }
    """)
    # The sums cancel out of the output, which shows no mixing.
    found = _profile(model, {"x": np.arange(15).reshape(5, 3)})
    assert found.batch_size == 5
    assert found.left_out == {"c": "one sample's elements can't be told from another's"}
    assert found.layouts["z"] == _layout(1, 3)


def test_shapes_that_depend_on_the_data(model_of):
    model = model_of("""
    <ir_version: 10, opset_import: ["" : 17]>
    g (float[batch, 3] x) => (float[batch, 3] y, int64[2, hits] n)
    { n = NonZero(x)  y = Neg(x) }
    """)
    values = _floats(5, 3)
    values[1] = 0
    found = _profile(model, {"x": values})
    assert found.batch_size == 1
    assert "depends on the data" in found.reason
    assert found.outputs["n"].batch_axis is None
    assert found.outputs["y"] == _layout(1, 3)
    inner = model_of("""
    <ir_version: 10, opset_import: ["" : 17]>
    g (float[batch, 3] x) => (float[batch, 3] y)
    { n = NonZero(x)  y = Neg(x) }
    """)
    found = _profile(inner, {"x": values})
    assert "depends on the data" in found.left_out["n"]
    assert found.batch_size == 5


FIXED = """
<ir_version: 10, opset_import: ["" : 17]>
g (float[4, 3] x) => (float[4, 2] y)
<float[3, 2] w = {1.0, 2.0, 3.0, 4.0, 5.0, 6.0}, float[4, 2] b = {0.5, 1.5, 2.5, 3.5, 4.5, 5.5, 6.5,
 7.5}, float one = {1.0}>
{
  v = Add(b, one)
  r = Neg(x)
  t = Transpose<perm = [1, 0]>(r)
  u = Transpose<perm = [1, 0]>(t)
  y = MatMul(u, w)
}
"""


def test_a_fixed_batch(model_of):
    found = _profile(model_of(FIXED), {"x": _floats(10, 3)})
    assert (found.batch_size, found.fixed_batch) == (4, 4)
    assert found.layouts["r"] == _layout(1, 3)
    assert found.layouts["t"] == _layout(3, 1, axis=1)
    assert found.layouts["v"] == _layout(4, 2, axis=None)  # no sample's, although 4 rows
    assert found.outputs["y"] == _layout(1, 2)
    assert _profile(model_of(FIXED), {"x": _floats(10, 3)}, batch_size=1).batch_size == 1


def test_a_fixed_batch_of_mixed_samples(model_of):
    text = FIXED.replace(
        "y = MatMul(u, w)", "m = MatMul(u, w) a = ReduceMax<keepdims = 0>(m) y = Sub(m, a)"
    )
    found = _profile(model_of(text), {"x": _floats(10, 3)}, choice=sample_choice(["x=0"]))
    assert (found.batch_size, found.fixed_batch) == (1, 4)
    assert found.outputs["y"] == _layout(1, 2)


def test_a_fixed_batch_whose_places_differ(model_of):
    text = FIXED.replace("y = MatMul(u, w)", "m = MatMul(u, w) y = Add(m, b)")
    with pytest.raises(WorkloadError, match="what a sample is"):
        _profile(model_of(text), {"x": _floats(10, 3)})
    found = _profile(model_of(text), {"x": _floats(10, 3)}, choice=sample_choice(["x=0"]))
    assert (found.batch_size, found.rows_independent) == (1, False)
    assert "other bits for a sample in a batch than alone" in found.reason


def test_a_fixed_batch_of_one(model_of):
    model = model_of(FIXED.replace("[4, 3] x", "[1, 3] x").replace("[4, 2] y", "[1, 2] y"))
    found = _profile(model, {"x": _floats(10, 3)})
    assert (found.batch_size, found.fixed_batch) == (1, 1)
    assert found.outputs["y"] == _layout(1, 2)


def test_whole_tensors(model_of):
    model = model_of("""
    <ir_version: 10, opset_import: ["" : 17]>
    g (float[6] x) => (float[6] y)
    { n = Neg(x)  y = Neg(n) }
    """)
    found = _profile(model, {"x": _floats(5, 6)})
    assert (found.batch_size, found.fixed_batch) == (1, None)
    assert found.layouts["n"] == _layout(6, axis=None)
    assert found.outputs["y"] == _layout(6, axis=None)


def test_a_model_that_takes_one_sample_only(model_of):
    model = model_of("""
    <ir_version: 10, opset_import: ["" : 17]>
    g (float[batch, 3] x) => (float[batch, 3] y)
    <int64[2] one = {1, 3}>
    { y = Reshape(x, one) }
    """)
    found = _profile(model, {"x": _floats(5, 3)})
    assert found.batch_size == 1
    assert found.reason.startswith("runs of several samples fail")
    assert found.outputs["y"] == _layout(1, 3)


def test_a_model_that_fails_on_any_sample(model_of):
    model = model_of("""
    <ir_version: 10, opset_import: ["" : 17]>
    g (float[batch, n] x) => (float[batch, 7] y)
    <int64[2] seven = {-1, 7}>
    { y = Reshape(x, seven) }
    """)
    with pytest.raises(GoldenError, match="fault-free model fails on sample 0 of arrays"):
        _profile(model, {"x": _floats(5, 3)})


def test_one_sample(classifier, images):
    found = profile(classifier, images.take(1), EngineSettings())
    assert found.batch_size == 1
    assert found.layouts["t2"] == _layout(4, 1, 4, 4, axis=1)


def test_batch_size_as_asked_for(classifier, images):
    assert profile(classifier, images, EngineSettings(batch_size=3)).batch_size == 3
    assert profile(classifier, images, EngineSettings(batch_size=99)).batch_size == 11


def test_the_profile_is_the_same_each_time(classifier, images):
    first, second = (profile(classifier, images, EngineSettings()) for _ in range(2))
    assert first == replace(second)


def test_integers_and_constants(model_of):
    model = model_of("""
    <ir_version: 10, opset_import: ["" : 17]>
    g (int64[batch, 2] ids, float[4] table, float scale) => (float[batch, 2] y)
    { rows = Gather(table, ids)  y = Mul(rows, scale) }
    """)
    given = {
        "ids": np.array([[0, 1], [2, 3], [1, 0]]),
        "table": _floats(4),
        "scale": np.array(2, np.float32),
    }
    found = _profile(model, given)
    assert found.batch_size == 3
    assert found.layouts["table"] == _layout(4, axis=None)
    assert found.layouts["scale"] == SampleLayout(shape=(), batch_axis=None)
    assert found.layouts["rows"] == _layout(1, 2)


def test_a_model_that_hangs_is_given_up(model_of):
    model = model_of("""
    <ir_version: 10, opset_import: ["" : 17]>
    looping (float[batch, 2] x, int64 trips) => (float[batch, 2] y)
    <bool always = {1}>
    {
      y = Loop (trips, always, x) <
        body = body (int64 i, bool go, float[batch, 2] v) => (bool on, float[batch, 2] w)
        { on = Identity(go)  w = Relu(v) }
      >
    }
    """)
    given = {"x": _floats(2, 2), "trips": np.array(2**60)}
    with pytest.raises(GoldenError, match="no result after"):
        _profile(model, given, timeout_s=0.1)


def test_large_models_are_probed_in_groups(classifier, images, bounds):
    whole = profile(classifier, images, EngineSettings())
    bounds(values_at_first=2, values_bytes=1000)
    assert profile(classifier, images, EngineSettings()) == whole


def test_an_output_of_the_run(model_of):
    model = model_of("""
    <ir_version: 10, opset_import: ["" : 17]>
    g (float[batch, 3] x) => (float[batch, 3] y, float[2] limits)
    <float[2] stored = {1.0, 2.0}>
    { y = Neg(x)  limits = Neg(stored) }
    """)
    found = _profile(model, {"x": _floats(5, 3)})
    assert found.outputs["limits"] == _layout(2, axis=None)
    assert found.batch_size == 5


def test_a_batch_size_that_is_asked_for_needs_isolation_only(models):
    """fp16 without optimisation: alone, samples go through other kernels than in a batch."""
    model = load(models / "lenet5_mnist_fp16.onnx")
    workload = open_workload(model, models / "mnist_test1000.npz").take(20)
    found = profile(model, workload, EngineSettings(optimization="disabled"), [])
    if found.rows_independent:
        pytest.skip("this machine's kernels give the same bits")
    assert found.batch_size == 1
    assert "other bits for a sample in a batch than alone" in found.reason
    asked = profile(model, workload, EngineSettings(optimization="disabled", batch_size=8), [])
    assert asked.batch_size == 8
    assert asked.reason.startswith("as asked for, though output")


def test_shapes_that_depend_on_the_data_of_some_samples(model_of):
    model = model_of("""
    <ir_version: 10, opset_import: ["" : 17]>
    g (float[1, 4] x) => (float[1, 4] y)
    { places = NonZero(x)  top = ReduceMax<keepdims = 0>(places)
      n = Cast<to = 1>(top)  y = Add(x, n) }
    """)
    x = np.ones((9, 4), np.float32)
    x[3:6, 0] = 0  # neither the first sample nor the last one
    found = _profile(model, {"x": x})
    assert found.left_out["places"] == "its shape depends on the data"
    assert "n" in found.layouts


TOKENS = """
<ir_version: 10, opset_import: ["" : 17]>
tokens (int64[3, 2] ids) => (float[3, 2] y)
<float[4] table = {1.0, 2.0, 3.0, 4.0}>
{ same = Identity(ids)  y = Gather(table, same) }
"""


def test_samples_that_are_each_other_backwards(model_of):
    found = _profile(model_of(TOKENS), {"ids": np.array([[0, 1], [2, 3], [1, 0], [3, 3]])})
    assert found.batch_size == 3
    assert found.outputs == {"y": _layout(1, 2)}


def test_equal_samples_prove_nothing(model_of):
    found = _profile(model_of(TOKENS), {"ids": np.array([[1, 1]] * 5)})
    assert (found.batch_size, found.rows_independent) == (1, False)
