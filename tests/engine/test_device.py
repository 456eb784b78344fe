"""Tensors on a device, batches kept there, and runs on them; here the "device" is the host."""

from __future__ import annotations

from dataclasses import replace

import ml_dtypes
import numpy as np
import onnxruntime
import pytest
from onnx import TensorProto

from onnxfi.engine import (
    EngineSettings,
    RunFailedError,
    RunTimedOutError,
    Session,
    Watchdog,
    open_workload,
)
from onnxfi.engine.engines.ports import KeptBatches, PortsEngine
from onnxfi.engine.runtime import DeviceMemory, DeviceTensor, Provider, device_memory
from onnxfi.errors import BackendError

MEMORY = DeviceMemory(kind="cpu")


class _Counting(DeviceMemory):
    """Remembers what goes to the device."""

    puts: list[tuple[int, ...]] = []  # noqa: RUF012

    def put(self, values):
        self.puts.append(values.shape)
        return super().put(values)


@pytest.fixture
def counting(monkeypatch) -> _Counting:
    monkeypatch.setattr(_Counting, "puts", [])
    return _Counting(kind="cpu")


def test_every_batch_goes_up_once(prepared, counting, closing, scenario):
    engine = closing(PortsEngine(prepared.context, place=lambda *_: counting))
    for site in ("r1", "w1", "t2", "r1"):
        engine.run(scenario((site, 0, 30)))
    images = [shape for shape in counting.puts if shape[1:] == (3, 8, 8)]
    assert images == [(4, 3, 8, 8), (4, 3, 8, 8), (3, 3, 8, 8)]
    engine.close()
    assert not engine.kept.batches.held


def test_batches_that_do_not_fit_are_fed_by_the_host(prepared, counting, images):
    one = 4 * 3 * 8 * 8 * 4
    settings = replace(prepared.context.settings, memory_limit_bytes=2 * 2 * one)
    batches = KeptBatches(replace(prepared.context, settings=settings), counting)
    assert batches.nbytes == 2 * one
    found = [batches.batch(start, stop)["image"] for start, stop in ((0, 4), (4, 8), (8, 11))]
    assert [type(feed) for feed in found] == [DeviceTensor, DeviceTensor, np.ndarray]
    assert batches.batch(0, 4)["image"] is found[0]
    assert isinstance(batches.batch(0, 1)["image"], np.ndarray)  # a sample that runs singly
    for feed, rows in zip(found[:2], ((0, 4), (4, 8)), strict=True):
        assert feed.read().tobytes() == images.batch(*rows)["image"].tobytes()
    assert len(counting.puts) == 2


def test_constants_go_up_once(model_of, prepare, counting):
    model = model_of("""
    <ir_version: 10, opset_import: ["" : 17]>
    g (float[n, 2] x, float scale, string word) => (float[n, 2] y)
    { y = Mul(x, scale) }
    """)
    assert device_memory(model, EngineSettings(provider="cpu")) is None
    plain = model_of("""
    <ir_version: 10, opset_import: ["" : 17]>
    g (float[n, 2] x, float scale) => (float[n, 2] y)
    { y = Mul(x, scale) }
    """)
    given = {"x": np.ones((4, 2), np.float32), "scale": np.float32(3)}
    workload = open_workload(plain, given)
    context = prepare(plain, workload, batch_size=2).context
    batches = KeptBatches(context, counting)
    first, second, alone = batches.batch(0, 2), batches.batch(2, 4), batches.batch(0, 1)
    assert first["scale"] is second["scale"] is alone["scale"]
    assert counting.puts.count(()) == 1
    session = Session(plain, EngineSettings())
    assert (session.run(first)["y"] == 3).all()
    assert (session.run(alone)["y"] == 3).all()


def test_where_tensors_are_kept(classifier, model_of, monkeypatch):
    assert device_memory(classifier, EngineSettings()) is None

    def found(settings):
        name = f"{settings.provider.upper()}ExecutionProvider"
        return Provider(name=name, options=dict(settings.provider_options))

    monkeypatch.setattr("onnxfi.engine.runtime._device.find_provider", found)
    on_cuda = EngineSettings(provider="cuda")
    assert device_memory(classifier, on_cuda) == DeviceMemory(kind="cuda", index=0)
    second = replace(on_cuda, provider_options={"device_id": "1"})
    assert device_memory(classifier, second) == DeviceMemory(kind="cuda", index=1)
    assert device_memory(classifier, EngineSettings(provider="openvino")) is None
    text = model_of("""
    <ir_version: 10, opset_import: ["" : 17]>
    g (string[n, 2] x) => (string[n, 2] y)
    { y = Identity(x) }
    """)
    assert device_memory(text, on_cuda) is None


def test_what_is_put_is_a_copy():
    values = np.arange(6, dtype=np.float32).reshape(2, 3)
    tensor = MEMORY.put(values)
    assert (tensor.shape, tensor.number, tensor.nbytes) == ((2, 3), TensorProto.FLOAT, 24)
    tensor.write(np.zeros(24, np.uint8))
    assert values.ravel().tolist() == [0, 1, 2, 3, 4, 5]
    big = MEMORY.put(values.astype(">f4").T)
    assert big.read().tobytes() == np.ascontiguousarray(values.T).tobytes()


def test_packed_values_share_bytes():
    tensor = MEMORY.put(np.array([1, -8, 7]).astype(ml_dtypes.int4))
    assert (tensor.shape, tensor.number, tensor.nbytes) == ((3,), TensorProto.INT4, 2)
    assert tensor.read().tolist() == [0x81, 0x07]


def test_what_is_empty_stays_an_array():
    values = np.zeros((0, 3), np.float32)
    assert MEMORY.put(values) is values


def test_a_device_without_room(monkeypatch):
    def refuse(*_):
        raise RuntimeError("a.cc:1 CUDA failure 2: out of memory ; GPU=0")

    monkeypatch.setattr(onnxruntime.OrtValue, "ortvalue_from_numpy", refuse)
    with pytest.raises(BackendError, match=r"12 bytes can't be kept .* 2: out of memory; check"):
        MEMORY.put(np.zeros(3, np.float32))


@pytest.mark.parametrize("way", ["numpy", "update_inplace"])
def test_a_device_that_fails_while_copying(monkeypatch, way):
    def fail(*_):
        raise RuntimeError("a.cc:1 CUDA failure 700: an illegal memory access ; GPU=0")

    tensor = MEMORY.put(np.zeros(3, np.float32))
    monkeypatch.setattr(onnxruntime.OrtValue, way, fail)
    with pytest.raises(BackendError, match=r"can't be (read|written) .* CUDA failure 700: an ill"):
        tensor.read() if way == "numpy" else tensor.write(np.zeros(12, np.uint8))


ENDLESS = """
<ir_version: 10, opset_import: ["" : 17]>
looping (float[batch, 2] x, int64 trips) => (float[batch, 2] y)
<bool always = {1}>
{
  y = Loop (trips, always, x) <
    body = body (int64 i, bool go, float[batch, 2] v) => (bool on, float[batch, 2] w)
    { on = Identity(go)  w = Relu(v) }
  >
}
"""


@pytest.fixture
def endless(model_of):
    watchdog = Watchdog()
    yield Session(model_of(ENDLESS), EngineSettings(timeout_s=0.05), watchdog)
    watchdog.close()


def _trips(count: int) -> dict[str, object]:
    return {"x": MEMORY.put(np.ones((2, 2), np.float32)), "trips": MEMORY.put(np.array(count))}


def test_a_hanging_run_on_a_device_is_ended(endless):
    with pytest.raises(RunTimedOutError, match=r"no result after 0\.05 s"):
        endless.run(_trips(2**62))
    assert endless.run(_trips(3))["y"].tolist() == [[1, 1], [1, 1]]


def test_failures_are_told_from_mistakes(endless):
    with pytest.raises(RunFailedError, match=r"Invalid rank|invalid dimensions"):
        endless.run({**_trips(1), "x": MEMORY.put(np.ones((2, 3), np.float32))})
    for wrong in ({"x": _trips(1)["x"]}, {**_trips(1), "more": MEMORY.put(np.ones(1))}):
        with pytest.raises(ValueError, match=r"inputs missing or unknown: (trips|more)"):
            endless.run(wrong)


def test_outputs_outlive_the_next_run(model_of):
    """Outputs of one run are not the memory that the next one writes to."""
    session = Session(model_of(ENDLESS), EngineSettings())
    first = session.run(_trips(1))["y"]
    other = {**_trips(1), "x": MEMORY.put(np.full((2, 2), 5, np.float32))}
    assert session.run(other)["y"].tolist() == [[5, 5], [5, 5]]
    assert first.tolist() == [[1, 1], [1, 1]]
    assert first.flags.writeable
