"""Sessions: providers without fallback, every element type, failures, timeouts."""

from __future__ import annotations

import threading
import time

import ml_dtypes
import numpy as np
import onnxruntime as ort
import pytest
from onnx import TensorProto, helper, save_model

from onnxfi.bits import ElementType, format_of, from_words, to_words
from onnxfi.engine import (
    EngineSettings,
    RunFailedError,
    RunTimedOutError,
    Session,
    Watchdog,
    available_providers,
)
from onnxfi.engine.runtime import Provider, check_providers, find_provider
from onnxfi.errors import BackendError, ConfigError
from onnxfi.graph import load, serialize

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


def _x() -> dict[str, np.ndarray]:
    return {"x": np.ones((2, 2), np.float32)}


def test_unknown_provider(classifier):
    with pytest.raises(BackendError, match=r"provider 'warp' is not in this onnxruntime .*cpu"):
        Session(classifier, EngineSettings(provider="warp"))


def test_a_provider_of_another_package(classifier):
    if "openvino" in available_providers():
        pytest.skip("this onnxruntime has it")
    with pytest.raises(BackendError, match="pip install onnxruntime-openvino in place of"):
        Session(classifier, EngineSettings(provider="openvino"))


def test_no_silent_fallback(classifier, capfd):
    """On a machine without a GPU, CUDA is refused and not replaced by the CPU."""
    if "cuda" not in available_providers():
        pytest.skip("this onnxruntime has no CUDA provider")
    if _cuda_starts(classifier):
        pytest.skip("there is a GPU")
    with pytest.raises(BackendError, match="'cuda' can't start here, only cpu did") as raised:
        Session(classifier, EngineSettings(provider="cuda"))
    assert "\n" not in str(raised.value)
    assert capfd.readouterr() == ("", "")


def _cuda_starts(model) -> bool:
    options = ort.SessionOptions()
    options.log_severity_level = 4
    ort.set_default_logger_severity(4)
    asked = ["CUDAExecutionProvider", "CPUExecutionProvider"]
    session = ort.InferenceSession(serialize(model).data, options, providers=asked)
    return asked[0] in session.get_providers()


def test_a_session_on_another_provider_is_refused(classifier):
    class Started:
        def get_providers(self):
            return ["CPUExecutionProvider"]

    with pytest.raises(BackendError, match="'xnnpack' can't start here, only cpu did"):
        check_providers(Started(), Provider(name="XnnpackExecutionProvider", options={}))


@pytest.mark.parametrize("name", ["cpu", "CPU", "CPUExecutionProvider"])
def test_names_of_the_cpu(name):
    assert find_provider(EngineSettings(provider=name)).on_cpu


def test_sessions_compute_deterministically(classifier, monkeypatch):
    started, real = [], ort.InferenceSession

    def start(*given, **options):
        started.append(real(*given, **options))
        return started[-1]

    monkeypatch.setattr(ort, "InferenceSession", start)
    Session(classifier, EngineSettings())
    assert started[0].get_session_options().use_deterministic_compute


def test_cuda_defaults_are_reproducible():
    if "cuda" not in available_providers():
        pytest.skip("this onnxruntime has no CUDA provider")
    asked = EngineSettings(provider="cuda", provider_options={"device_id": "1", "use_tf32": "1"})
    assert find_provider(asked).options == {
        "use_tf32": "1",
        "cudnn_conv_algo_search": "HEURISTIC",
        "device_id": "1",
    }
    assert find_provider(asked).requested()[1] == "CPUExecutionProvider"


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"optimization": "most"}, "optimization 'most' is unknown; choose from all, extended"),
        ({"batch_size": 0}, "batch size must be at least 1"),
        ({"timeout_s": 0.0}, "timeout must be above 0"),
        ({"timeout_s": float("nan")}, "timeout must be above 0"),
        ({"memory_limit_bytes": -1}, "memory limit must not be negative"),
    ],
)
def test_settings_are_checked(settings, message):
    with pytest.raises(ConfigError, match=message):
        EngineSettings(**settings)


def test_a_model_that_onnxruntime_refuses(model_of):
    model = model_of("""
    <ir_version: 10, opset_import: ["" : 17, "nowhere" : 1]>
    g (float[batch, 2] x) => (float[batch, 2] y)
    { y = nowhere.Thing(x) }
    """)
    with pytest.raises(BackendError, match=r"can't load .*Thing") as raised:
        Session(model, EngineSettings())
    assert "\n" not in str(raised.value)


def test_outputs_by_name(classifier, images):
    session = Session(classifier, EngineSettings())
    assert session.outputs == ("scores",)
    outputs = session.run(images.batch(0, 3), ["scores"])
    assert outputs["scores"].shape == (3, 5)


def test_failures_are_told_from_mistakes(model_of):
    model = model_of(ENDLESS)
    session = Session(model, EngineSettings())
    with pytest.raises(RunFailedError, match=r"Invalid rank|invalid dimensions"):
        session.run({"x": np.ones((2, 3), np.float32), "trips": np.array(1)})
    with pytest.raises(ValueError, match="trips"):  # ours, so never an outcome
        session.run(_x())


@pytest.mark.parametrize(
    "element", ["BFLOAT16", "FLOAT8E4M3FN", "FLOAT8E4M3FNUZ", "FLOAT8E5M2", "FLOAT8E5M2FNUZ"]
)
def test_types_that_numpy_lacks(element):
    number = TensorProto.DataType.Value(element)
    dtypes = {
        "BFLOAT16": ml_dtypes.bfloat16,
        "FLOAT8E4M3FN": ml_dtypes.float8_e4m3fn,
        "FLOAT8E4M3FNUZ": ml_dtypes.float8_e4m3fnuz,
        "FLOAT8E5M2": ml_dtypes.float8_e5m2,
        "FLOAT8E5M2FNUZ": ml_dtypes.float8_e5m2fnuz,
    }
    graph = helper.make_graph(
        [helper.make_node("Identity", ["x"], ["y"]), helper.make_node("Identity", ["z"], ["w"])],
        "g",
        [
            helper.make_tensor_value_info("x", number, ["n", 2]),
            helper.make_tensor_value_info("z", TensorProto.FLOAT, ["n"]),
        ],
        [
            helper.make_tensor_value_info("y", number, ["n", 2]),
            helper.make_tensor_value_info("w", TensorProto.FLOAT, ["n"]),
        ],
    )
    opsets = [helper.make_opsetid("", 21)]
    model = load(helper.make_model(graph, opset_imports=opsets, ir_version=10))
    dtype = np.dtype(dtypes[element])
    words = np.arange(256, dtype=f"u{dtype.itemsize}").reshape(128, 2)
    session = Session(model, EngineSettings(optimization="disabled"))
    feeds = {"x": words.view(dtype), "z": np.ones(3, np.float32)}
    outputs = session.run(feeds)
    assert outputs["y"].dtype == dtype
    np.testing.assert_array_equal(outputs["y"].view(words.dtype), words)
    np.testing.assert_array_equal(session.run(feeds, ["w"])["w"], feeds["z"])
    empty = session.run({**feeds, "x": words[:0].view(dtype)})
    assert empty["y"].shape == (0, 2)


@pytest.mark.parametrize("element", ["INT4", "UINT4", "INT2", "UINT2"])
def test_types_below_one_byte(element):
    """Several elements of them share a byte, and the last byte may have room left."""
    number = TensorProto.DataType.Value(element)
    there = helper.make_node("Cast", ["x"], ["f"], to=TensorProto.FLOAT)
    back = helper.make_node("Cast", ["f"], ["y"], to=number)
    graph = helper.make_graph(
        [there, back],
        "g",
        [helper.make_tensor_value_info("x", number, ["n", 3])],
        [
            helper.make_tensor_value_info("f", TensorProto.FLOAT, ["n", 3]),
            helper.make_tensor_value_info("y", number, ["n", 3]),
        ],
    )
    opsets = [helper.make_opsetid("", 25)]
    session = Session(
        load(helper.make_model(graph, opset_imports=opsets, ir_version=12)),
        EngineSettings(optimization="disabled"),
    )
    form = format_of(ElementType[element])
    for rows in (5, 0):
        words = (np.arange(3 * rows) % (form.mask + 1)).astype(np.uint8)
        values = from_words(words, form.element, (rows, 3))
        outputs = session.run({"x": values})
        np.testing.assert_array_equal(outputs["f"], values.astype(np.float32))
        assert outputs["y"].dtype == values.dtype
        assert outputs["y"].shape == values.shape
        np.testing.assert_array_equal(to_words(outputs["y"], form.element), words)


def test_strings(model_of):
    model = model_of("""
    <ir_version: 10, opset_import: ["" : 17]>
    g (string[batch] t) => (string[batch] y)
    { y = Identity(t) }
    """)
    given = np.array(["a", "bc"], dtype=object)
    assert Session(model, EngineSettings()).run({"t": given})["y"].tolist() == ["a", "bc"]


def test_external_data_is_found(tmp_path):
    weight = helper.make_tensor("w", TensorProto.FLOAT, [600], np.arange(600, dtype=np.float32))
    weight.raw_data = np.arange(600, dtype=np.float32).tobytes()
    weight.ClearField("float_data")
    graph = helper.make_graph(
        [helper.make_node("Add", ["x", "w"], ["y"])],
        "g",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, ["n", 600])],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, ["n", 600])],
        [weight],
    )
    opsets = [helper.make_opsetid("", 17)]
    save_model(
        helper.make_model(graph, opset_imports=opsets, ir_version=10),
        tmp_path / "m.onnx",
        save_as_external_data=True,
        location="m.bin",
        size_threshold=0,
    )
    session = Session(load(tmp_path / "m.onnx"), EngineSettings())
    y = session.run({"x": np.zeros((1, 600), np.float32)})["y"]
    np.testing.assert_array_equal(y[0], np.arange(600))
    # The cache of sessions goes by what they hold, wherever that was read from.
    assert session.nbytes > (tmp_path / "m.bin").stat().st_size


def test_timeouts_end_endless_loops(model_of):
    watchdog = Watchdog()
    session = Session(model_of(ENDLESS), EngineSettings(timeout_s=0.1), watchdog)
    try:
        with pytest.raises(RunTimedOutError, match=r"no result after 0\.1 s"):
            session.run({**_x(), "trips": np.array(2**60)})
        outputs = session.run({**_x(), "trips": np.array(3)})  # the next run is not affected
        np.testing.assert_array_equal(outputs["y"], 1)
        names = [thread.name for thread in threading.enumerate()]
        assert names.count("onnxfi-watchdog") == 1
    finally:
        watchdog.close()
    assert "onnxfi-watchdog" not in [thread.name for thread in threading.enumerate()]


def test_a_hurried_run_has_the_shortened_limit(model_of):
    watchdog = Watchdog()
    session = Session(model_of(ENDLESS), EngineSettings(timeout_s=1.6), watchdog)
    try:
        with pytest.raises(RunTimedOutError, match=r"no result after 1 s"):
            session.run({**_x(), "trips": np.array(2**60)}, hurried=True)
    finally:
        watchdog.close()


def test_an_error_within_the_limit_is_no_timeout(model_of):
    watchdog = Watchdog()
    session = Session(model_of(ENDLESS), EngineSettings(timeout_s=30), watchdog)
    try:
        with pytest.raises(RunFailedError) as raised:
            session.run({"x": np.ones((2, 3), np.float32), "trips": np.array(1)})
        assert not isinstance(raised.value, RunTimedOutError)
    finally:
        watchdog.close()


def test_watchdog_guards_one_run_after_another():
    watchdog = Watchdog()
    try:
        for seconds, fires in ((30, False), (0.02, True), (30, False), (0.02, True)):
            options = ort.RunOptions()
            with watchdog.guard(options, seconds) as guard:
                for _ in range(6_000 if fires else 10):  # a busy machine may take its time
                    if guard.fired:
                        break
                    time.sleep(0.005)
            assert guard.fired is fires
            assert options.terminate is fires
    finally:
        watchdog.close()


def test_dtypes_that_onnxruntime_does_not_take(classifier):
    session = Session(classifier, EngineSettings())
    with pytest.raises(BackendError, match="takes no input of dtype float6_e2m3fn"):
        session.run({"image": np.zeros((1, 3, 8, 8), ml_dtypes.float6_e2m3fn)})
