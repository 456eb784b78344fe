"""Arrays against the model's inputs: roles, refusals, batches."""

from __future__ import annotations

import ml_dtypes
import numpy as np
import pytest

from onnxfi.bits import ElementType
from onnxfi.errors import ConfigError, UnsupportedModelError, WorkloadError
from onnxfi.graph import TensorSpec


def _floats(*shape: int) -> np.ndarray:
    return np.arange(np.prod(shape), dtype=np.float32).reshape(shape)


def test_samples_labels_and_batches(spec, read):
    x, labels = _floats(5, 3), np.array([0, 1, 2, 1, 0], np.int32)
    workload = read({"x": x, "labels": labels}, [spec("x", "batch", 3)])
    assert workload.samples == 5
    assert workload.labels is not None
    assert workload.labels.dtype == np.int64
    np.testing.assert_array_equal(workload.batch(1, 3)["x"], x[1:3])


def test_padding_repeats_the_last_sample(spec, read):
    x = _floats(5, 3)
    workload = read({"x": x}, [spec("x", 4, 3)])
    assert workload.fixed_batch == 4
    np.testing.assert_array_equal(workload.batch(3, 5, 4)["x"], x[[3, 4, 4, 4]])


@pytest.mark.parametrize(("start", "stop"), [(-1, 2), (2, 2), (3, 6)])
def test_ranges_outside_the_workload(spec, start, stop, read):
    workload = read({"x": _floats(5, 3)}, [spec("x", "batch", 3)])
    with pytest.raises(ConfigError, match="not in the workload"):
        workload.batch(start, stop)


def test_samples_are_first_or_where_the_model_has_them(spec, read):
    x, inputs = _floats(4, 7, 2), [spec("x", "time", "batch", 2)]
    first = read({"x": x}, inputs, axes=["x=0:1"])
    assert (first.samples, dict(first.axes)) == (4, {"x": 1})
    batch = first.batch(1, 3)["x"]
    assert batch.shape == (7, 2, 2)
    np.testing.assert_array_equal(batch[:, 0], x[1])
    assert batch.flags.c_contiguous
    alike = read({"x": x}, inputs, axes=["x=1"])
    assert alike.samples == 7
    np.testing.assert_array_equal(alike.batch(2, 5)["x"], x[:, 2:5])
    labelled = read({"x": x, "labels": np.arange(4)}, inputs, axes=["x=1"])
    assert labelled.samples == 4


def test_inputs_without_a_batch_axis_are_constants(spec, read):
    inputs = [spec("x", "batch", 3), spec("anchors", 9, 4), spec("rate")]
    given = {"x": _floats(5, 3), "anchors": _floats(9, 4), "rate": np.float32(2)}
    workload = read(given, inputs)
    assert set(workload.inputs) == {"x"}
    assert set(workload.constants) == {"anchors", "rate"}
    batch = workload.batch(0, 2)
    assert batch["anchors"].shape == (9, 4)
    assert batch["rate"].shape == ()


def test_an_open_dimension_of_its_own_name_may_be_a_constant(spec, read):
    inputs = [spec("x", "batch", 3), spec("boxes", "boxes", 4)]
    workload = read({"x": _floats(5, 3), "boxes": _floats(9, 4)}, inputs)
    assert set(workload.constants) == {"boxes"}


def test_fixed_batch_companions(spec, read):
    inputs = [spec("image", 1, 3, 4), spec("size", 1, 2), spec("anchors", 9, 4)]
    given = {"image": _floats(6, 3, 4), "size": _floats(6, 2), "anchors": _floats(9, 4)}
    workload = read(given, inputs)
    assert workload.samples == 6
    assert set(workload.constants) == {"anchors"}


def test_one_axis_more_means_whole_tensors(spec, read):
    x = _floats(3, 7)
    workload = read({"x": x, "labels": np.array([1, 2, 3])}, [spec("x", 7)])
    assert workload.stacked
    np.testing.assert_array_equal(workload.batch(2, 3)["x"], x[2])
    with pytest.raises(ConfigError, match="holds one; use batch 1"):
        workload.batch(0, 2)


def test_rank_one_input_of_one_sample(spec, read):
    workload = read({"x": _floats(7)}, [spec("x", 7)])
    assert workload.samples == 1
    assert workload.batch(0, 1)["x"].shape == (7,)


@pytest.mark.parametrize(
    ("arrays", "message"),
    [
        ({}, r"no input 'x'; the model needs 'x' float32 \(batch, 3\); it has: nothing"),
        ({"y": _floats(5, 3)}, r"no input 'x'.*it has: 'y'"),
        ({"x": _floats(5, 3), "z": _floats(5)}, r"'z', which is not an input .*'x'"),
        ({"x": _floats(5, 4)}, r"'x' has shape \(5, 4\), expected \(samples, 3\)"),
        ({"x": _floats(15)}, r"'x' has shape \(15,\), expected \(samples, 3\)"),
        ({"x": _floats(0, 3)}, r"no samples"),
        ({"x": np.zeros((5, 3))}, r"dtype float64, the model needs float32; .*astype"),
        ({"x": np.zeros((5, 3), np.int32)}, r"dtype int32"),
        ({"x": np.zeros((5, 3), ">f4")}, r"dtype >f4"),
        ({"x": _floats(5, 3), "labels": np.zeros(4, int)}, r"4 labels for 5 samples"),
        ({"x": _floats(5, 3), "labels": np.zeros(5)}, r"labels are float64"),
        ({"x": _floats(5, 3), "labels": np.zeros((5, 1), int)}, r"labels are int64 \(5, 1\)"),
        ({"x": np.array([["a"] * 3])}, r"dtype <U1"),
    ],
)
def test_refusals(spec, arrays, message, read):
    with pytest.raises(WorkloadError, match=message) as raised:
        read(arrays, [spec("x", "batch", 3)])
    assert "\n" not in str(raised.value)


def test_integers_are_never_widened(spec, read):
    inputs = [spec("ids", "batch", 3, element=ElementType.INT64)]
    with pytest.raises(WorkloadError, match=r"int32, the model needs int64; .*astype\('int64'\)"):
        read({"ids": np.zeros((2, 3), np.int32)}, inputs)


def test_inputs_that_disagree(spec, read):
    inputs = [spec("a", "batch", 3), spec("b", "batch", 3)]
    with pytest.raises(WorkloadError, match="disagree on the number of samples: 'a' has 5"):
        read({"a": _floats(5, 3), "b": _floats(4, 3)}, inputs)


def test_an_input_called_labels_is_an_input(spec, read):
    workload = read({"labels": _floats(5, 3)}, [spec("labels", "batch", 3)])
    assert workload.labels is None
    assert set(workload.inputs) == {"labels"}


def test_strings_and_raw_bfloat16(spec, read):
    texts = read({"t": np.array(["a", "b"])}, [spec("t", "batch", element=ElementType.STRING)])
    assert texts.batch(0, 2)["t"].dtype == object
    halves = np.arange(6).astype(ml_dtypes.bfloat16).reshape(2, 3)
    inputs = [spec("x", "batch", 3, element=ElementType.BFLOAT16)]
    workload = read({"x": halves.view("V2")}, inputs)
    np.testing.assert_array_equal(workload.inputs["x"], halves)
    eighths = np.zeros((2, 3), ml_dtypes.float8_e5m2)
    with pytest.raises(WorkloadError, match="float8_e5m2"):
        read({"x": eighths}, [spec("x", "batch", 3, element=ElementType.FLOAT8E4M3FN)])


def test_inputs_that_cannot_be_fed(spec, read):
    with pytest.raises(WorkloadError, match="int4"):
        read({"x": _floats(2)}, [spec("x", "batch", element=ElementType.INT4)])
    sequence = TensorSpec(name="s", element=ElementType.FLOAT, kind="sequence")
    with pytest.raises(UnsupportedModelError, match="is a sequence"):
        read({"s": _floats(2)}, [sequence])


def test_hash_covers_everything_but_order(spec, read):
    inputs = [spec("a", "batch", 2), spec("b", "batch", 2)]
    a, b = _floats(3, 2), _floats(3, 2) + 1
    labels = np.array([0, 1, 2])
    base = read({"a": a, "b": b, "labels": labels}, inputs).sha256
    assert base == read({"labels": labels, "b": b, "a": a}, inputs).sha256
    changed = [
        {"a": b, "b": a, "labels": labels},
        {"a": a, "b": b},
        {"a": a, "b": b, "labels": labels[::-1]},
        {"a": np.where(a == 0, np.float32(-0.0), a), "b": b, "labels": labels},
    ]
    hashes = {read(arrays, inputs).sha256 for arrays in changed}
    assert len(hashes) == len(changed)
    assert base not in hashes


def test_take(spec, read):
    inputs = [spec("x", "batch", 3)]
    full = read({"x": _floats(5, 3), "labels": np.arange(5)}, inputs)
    part = full.take(2)
    assert part.samples == 2
    assert part.labels is not None
    assert part.labels.tolist() == [0, 1]
    again = read({"x": _floats(5, 3)[:2], "labels": np.arange(2)}, inputs)
    assert part.sha256 == again.sha256
    assert full.take(9) is full
    with pytest.raises(ConfigError, match="at least one sample"):
        full.take(0)


@pytest.mark.parametrize(
    ("shape", "text"),
    [
        (("time", "batch", 2), r"'b' float32 \(time, batch, 2\)"),
        ((), r"'b' float32 \(\);"),
        ((9, 4), r"'b' float32 \(9, 4\);"),
        (("batch",), r"'b' float32 \(batch,\);"),
    ],
)
def test_missing_inputs_are_described(spec, shape, text, read):
    with pytest.raises(WorkloadError, match=text):
        read({"a": _floats(2, 3)}, [spec("a", "batch", 3), spec("b", *shape)])
