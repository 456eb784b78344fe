"""Workloads from .npz files and test_data_set folders."""

from __future__ import annotations

import pickle
from pathlib import Path

import numpy as np
import onnx.numpy_helper
import pytest

from onnxfi.errors import WorkloadError


def _write_set(folder: Path, *arrays: np.ndarray) -> None:
    folder.mkdir(parents=True)
    for number, array in enumerate(arrays):
        tensor = onnx.numpy_helper.from_array(array)
        (folder / f"input_{number}.pb").write_bytes(tensor.SerializeToString())


def test_npz(tmp_path, spec, read):
    x = np.ones((4, 3), np.float32)
    np.savez_compressed(tmp_path / "w.npz", x=x, labels=np.arange(4))
    workload = read(tmp_path / "w.npz", [spec("x", "batch", 3)])
    assert workload.source == str(tmp_path / "w.npz")
    np.testing.assert_array_equal(workload.inputs["x"], x)


def _pickled_member(path: Path) -> None:
    np.savez(path, x=np.array([{"a": 1}], dtype=object))


def _pickle(path: Path) -> None:
    path.write_bytes(pickle.dumps({"x": 1}))


def _truncated(path: Path) -> None:
    np.savez(path, x=np.ones((100, 3), np.float32))
    path.write_bytes(path.read_bytes()[:-400])


def _damaged(path: Path) -> None:
    np.savez_compressed(path, x=np.arange(3000, dtype=np.float32).reshape(1000, 3))
    data = bytearray(path.read_bytes())
    data[200:260] = b"\xff" * 60
    path.write_bytes(data)


def _single(path: Path) -> None:
    with path.open("wb") as file:
        np.save(file, np.ones((4, 3), np.float32))


def _empty(path: Path) -> None:
    path.write_bytes(b"")


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (_pickled_member, "pickled Python objects, which are never loaded"),
        (_pickle, "can't be read as an .npz file"),
        (_truncated, "can't be read as an .npz file"),
        (_damaged, "can't be read as an .npz file"),
        (_single, "is a single array"),
        (_empty, "can't be read as an .npz file"),
        (lambda path: None, "does not exist"),
    ],
)
def test_unreadable_files(tmp_path, spec, make, message, read):
    path = tmp_path / "w.npz"
    make(path)
    with pytest.raises(WorkloadError, match=message) as raised:
        read(path, [spec("x", "batch", 3)])
    assert "\n" not in str(raised.value)


def test_a_pickle_is_not_executed(tmp_path, spec, read):
    marker = tmp_path / "ran"

    class Evil:
        def __reduce__(self):
            return Path.touch, (marker,)

    array = np.empty(1, dtype=object)
    array[0] = Evil()
    np.savez(tmp_path / "w.npz", x=array)
    with pytest.raises(WorkloadError):
        read(tmp_path / "w.npz", [spec("x", "batch", 3)])
    assert not marker.exists()


def test_data_sets_are_joined(tmp_path, spec, read):
    first, second = np.zeros((1, 3), np.float32), np.ones((2, 3), np.float32)
    scale = np.array(2, np.float32)
    _write_set(tmp_path / "test_data_set_0", first, scale)
    _write_set(tmp_path / "test_data_set_10", second, scale)
    _write_set(tmp_path / "test_data_set_2", second * 5, scale)
    workload = read(tmp_path, [spec("x", "batch", 3), spec("scale")])
    assert workload.samples == 5
    assert workload.inputs["x"][:, 0].tolist() == [0, 5, 5, 1, 1]
    only = read(tmp_path / "test_data_set_0", [spec("x", "batch", 3), spec("scale")])
    assert only.samples == 1


def test_data_sets_with_the_batch_on_another_axis(tmp_path, spec, read):
    _write_set(tmp_path / "test_data_set_0", np.zeros((7, 2, 3), np.float32))
    workload = read(tmp_path, [spec("x", "time", "batch", 3)], axes=["x=1"])
    assert workload.samples == 2
    assert workload.batch(0, 2)["x"].shape == (7, 2, 3)


def test_data_sets_without_a_batch_are_stacked(tmp_path, spec, read):
    for number in range(3):
        _write_set(tmp_path / f"test_data_set_{number}", np.full(7, number, np.float32))
    workload = read(tmp_path, [spec("x", 7)])
    assert workload.stacked
    assert workload.samples == 3
    assert workload.batch(2, 3)["x"].tolist() == [2.0] * 7


def test_data_set_refusals(tmp_path, spec, read):
    with pytest.raises(WorkloadError, match="no test_data_set_N folder"):
        read(tmp_path, [spec("x", "batch", 3)])
    _write_set(tmp_path / "test_data_set_0", np.zeros((1, 3), np.float32))
    with pytest.raises(WorkloadError, match="holds 1 input files, the model has 2 inputs"):
        read(tmp_path, [spec("x", "batch", 3), spec("y", "batch", 3)])
    _write_set(tmp_path / "test_data_set_1", np.zeros((1, 4), np.float32))
    with pytest.raises(WorkloadError, match="samples of one workload share a shape"):
        read(tmp_path, [spec("x", "batch", "n")])


def test_data_sets_whose_constants_differ(tmp_path, spec, read):
    x = np.zeros((1, 3), np.float32)
    _write_set(tmp_path / "test_data_set_0", x, np.array(1, np.float32))
    _write_set(tmp_path / "test_data_set_1", x, np.array(2, np.float32))
    with pytest.raises(WorkloadError, match="differs between the sets"):
        read(tmp_path, [spec("x", "batch", 3), spec("scale")])
