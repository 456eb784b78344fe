"""Gradients: torch runs files as onnxruntime does, and each sensitivity is what it is called."""

from __future__ import annotations

import importlib
import sys
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import onnx
import pytest
from evaluation.gradients import Gradients
from onnx import helper, numpy_helper

import onnxfi as fi
from onnxfi.errors import UnsupportedModelError

ROOT = Path(__file__).resolve().parents[4]
MODELS = ROOT / "models"
MNIST = MODELS / "mnist_test1000.npz"


def test_without_torch_the_tool_says_what_to_install(monkeypatch, capsys, tmp_path):
    tool = importlib.import_module("eval_gradients")
    monkeypatch.setattr(tool, "find_spec", lambda _: None)
    words = ["eval_gradients.py", "m.onnx", "--inputs", "i.npz", "-o", str(tmp_path)]
    monkeypatch.setattr(sys, "argv", words)
    assert tool.main() == 1
    assert "pip install torch==" in capsys.readouterr().err


@pytest.fixture(scope="module")
def torch():
    return pytest.importorskip("torch")


@pytest.fixture(scope="module")
def batch():
    with np.load(MNIST) as data:
        return data["image"][-4:], data["labels"][-4:]


@pytest.mark.parametrize(
    ("name", "inputs", "close"),
    [
        ("lenet5_mnist_fp32", "mnist", 1e-4),
        ("lenet5_mnist_int8_qdq", "mnist", 1e-4),
        ("resnet8_fashion_fp32", "fashion", 1e-4),
        ("resnet8_fashion_fp16", "fashion", 0.1),
    ],
)
def test_files_are_run_as_onnxruntime_does(torch, tmp_path, name, inputs, close):
    from evaluation.measured import measure

    found, differs = measure(
        MODELS / f"{name}.onnx", MODELS / f"{inputs}_test1000.npz", 2, ["weight", "activation"]
    )
    assert differs < close
    found.write(tmp_path / "found.npz")
    again = Gradients.read(tmp_path / "found.npz", found.model_sha256)
    for kind in ("output", "loss", "loss_size", "conductance", "taylor"):
        arrays = getattr(again, kind)
        assert arrays
        for site, array in arrays.items():
            np.testing.assert_array_equal(array, getattr(found, kind)[site])
            assert np.isfinite(array).all()


def _network(name: str):
    from evaluation.torchgraph import Network

    return Network(MODELS / f"{name}.onnx")


def test_one_pass_gives_what_a_pass_for_each_sample_and_class_gives(torch, batch):
    from evaluation.autograd import output_sensitivity

    path = MODELS / "lenet5_mnist_fp32.onnx"
    sites = fi.enumerate_sites(path, targets=["weight"])
    found = output_sensitivity(_network(path.stem), sites, batch[0])
    network = _network(path.stem)
    weights = network.follow([site.name for site in sites])
    total = [np.zeros(weight.numel()) for weight in weights]
    for image in batch[0]:
        output = network.run(torch.from_numpy(image[None]))[network.output]
        for one in output[0]:
            for place, slope in enumerate(torch.autograd.grad(one, weights, retain_graph=True)):
                total[place] += slope.numpy().reshape(-1)
    for site, expected in zip(sites, total, strict=True):
        np.testing.assert_allclose(found[site.name], expected, rtol=1e-3, atol=1e-4)


def test_conductance_of_a_layer_adds_up_to_what_the_image_adds_to_its_class(torch, batch):
    from evaluation.autograd import conductance

    path = MODELS / "lenet5_mnist_fp32.onnx"
    sites = fi.enumerate_sites(path, inputs=MNIST, targets=["activation"])
    found = conductance(_network(path.stem), sites, *batch)
    network = _network(path.stem)
    rows = np.arange(len(batch[1]))
    whole = network.answer(batch[0])[rows, batch[1]] - network.answer(0 * batch[0])[0, batch[1]]
    assert len(found) == len(sites) > 8
    for site in sites:  # one after the other: all that is known passes through each
        assert found[site.name].shape == (site.layout.elements,)
        assert found[site.name].sum() == pytest.approx(whole.mean(), rel=0.05)


def test_the_loss_changes_as_its_derivative_says(torch, batch):
    from evaluation.autograd import loss_sensitivity

    path = MODELS / "lenet5_mnist_int8_qdq.onnx"
    images, labels = batch
    labels = (labels + 1) % 10  # wrong ones, whose loss is not flat
    (site,) = fi.enumerate_sites(path, targets=["weight"], include=["fc3*"])
    signed, size = loss_sensitivity(_network(path.stem), [site], images, labels)
    assert (size[site.name] >= np.abs(signed[site.name]) - 1e-9).all()

    network = _network("lenet5_mnist_fp32")
    (site,) = fi.enumerate_sites(
        MODELS / "lenet5_mnist_fp32.onnx", targets=["weight"], include=["fc3*"]
    )
    slope = loss_sensitivity(network, [site], images, labels)[0][site.name]

    def loss(step: float) -> float:
        other = _network("lenet5_mnist_fp32")
        other.stored[site.name].view(-1)[place] += step
        logits = other.answer(images).astype(np.float64)
        rest = np.log(np.exp(logits).sum(axis=1))
        return float((rest - logits[np.arange(len(labels)), labels]).mean())

    place = int(np.abs(slope).argmax())
    assert (loss(0.01) - loss(-0.01)) / 0.02 == pytest.approx(slope[place], rel=0.02)


def _model(path: Path, nodes, stored, inputs=(2, 4, 7, 7)) -> None:
    graph = helper.make_graph(
        nodes,
        "g",
        [helper.make_tensor_value_info("x", onnx.TensorProto.FLOAT, inputs)],
        [helper.make_tensor_value_info("y", onnx.TensorProto.FLOAT, None)],
        [numpy_helper.from_array(array, name) for name, array in stored.items()],
    )
    opset = [helper.make_opsetid("", 17)]
    onnx.save(helper.make_model(graph, opset_imports=opset, ir_version=9), path)


RNG = np.random.default_rng(2)
CHANNEL = {name: RNG.uniform(0.5, 2, 4).astype(np.float32) for name in ("s", "b", "m", "v")}
OPERATORS = {
    "conv": ("Conv", ["w"], {"pads": [1, 0, 2, 1], "strides": [2, 1], "dilations": [1, 2]}),
    "depthwise": ("Conv", ["d"], {"group": 4, "auto_pad": "SAME_UPPER", "strides": [2, 2]}),
    "same lower": ("Conv", ["w"], {"auto_pad": "SAME_LOWER"}),
    "max pool": ("MaxPool", [], {"kernel_shape": [3, 2], "pads": [1, 0, 1, 1], "strides": [2, 2]}),
    "ceiling": ("MaxPool", [], {"kernel_shape": [2, 2], "strides": [2, 2], "ceil_mode": 1}),
    "average pool": ("AveragePool", [], {"kernel_shape": [3, 3], "pads": [1, 1, 0, 1]}),
    "padding counted": (
        "AveragePool",
        [],
        {"kernel_shape": [3, 3], "pads": [1, 1, 0, 1], "count_include_pad": 1},
    ),
    "clip": ("Clip", ["low", "high"], {}),
    "clip above": ("Clip", ["", "high"], {}),
    "norm": ("BatchNormalization", ["s", "b", "m", "v"], {"epsilon": 0.1}),
    "global": ("GlobalAveragePool", [], {}),
    "mean": ("ReduceMean", [], {"axes": [2, 3], "keepdims": 0}),
    "flatten": ("Flatten", [], {"axis": 2}),
    "reshape": ("Reshape", ["shape"], {}),
    "transpose": ("Transpose", [], {"perm": [0, 2, 3, 1]}),
    "reversed": ("Transpose", [], {}),
    "softmax": ("Softmax", [], {"axis": 1}),
    "leaky": ("LeakyRelu", [], {"alpha": 0.2}),
    "hard swish": ("HardSwish", [], {}),
    "matmul": ("MatMul", ["matrix"], {}),
}
STORED = {
    **CHANNEL,
    "w": RNG.normal(size=(5, 4, 3, 3)).astype(np.float32),
    "d": RNG.normal(size=(4, 1, 3, 3)).astype(np.float32),
    "low": np.array(-0.5, np.float32),
    "high": np.array(0.7, np.float32),
    "shape": np.array([0, -1, 7]),
    "matrix": RNG.normal(size=(7, 3)).astype(np.float32),
}


def test_every_stored_tensor_has_a_gradient(torch, tmp_path):
    from evaluation.autograd import output_sensitivity
    from evaluation.torchgraph import Network

    path = tmp_path / "m.onnx"
    _model(
        path,
        [
            helper.make_node("BatchNormalization", ["x", "s", "b", "m", "v"], ["n"]),
            helper.make_node("Clip", ["n", "low", "high"], ["y"]),
        ],
        {**CHANNEL, "low": STORED["low"], "high": STORED["high"], "unread": np.ones(3, np.float32)},
    )
    images = RNG.normal(size=(2, 4, 7, 7)).astype(np.float32)
    names = (*CHANNEL, "low", "high", "unread")
    sites = [SimpleNamespace(name=name) for name in names]
    found = output_sensitivity(Network(path), sites, images)
    assert (found["unread"] == 0).all()
    for name in names[:-1]:
        sums = []
        for step in (1e-3, -1e-3):
            network = Network(path)
            network.stored[name].reshape(-1)[0] += step
            sums.append(network.answer(images).astype(np.float64).sum())
        slope = (sums[0] - sums[1]) / 2e-3
        assert abs(slope) > 1
        assert found[name].reshape(-1)[0] == pytest.approx(slope, rel=0.03)


def _answers(path: Path):
    from evaluation.torchgraph import Network

    from onnxfi.engine import EngineSettings, Session
    from onnxfi.graph import load

    images = RNG.normal(size=(2, 4, 7, 7)).astype(np.float32)
    session = Session(load(path), EngineSettings(optimization="disabled"))
    return Network(path).answer(images), session.run({"x": images}, ["y"])["y"]


@pytest.mark.parametrize("case", OPERATORS)
def test_an_operator_is_what_onnxruntime_makes_of_it(torch, tmp_path, case):
    operator, read, attributes = OPERATORS[case]
    path = tmp_path / "m.onnx"
    node = helper.make_node(operator, ["x", *read], ["y"], **attributes)
    _model(path, [node], {name: STORED[name] for name in read if name})
    found, expected = _answers(path)
    np.testing.assert_allclose(found, expected, rtol=1e-4, atol=1e-5)


def test_codes_along_an_axis_are_what_onnxruntime_makes_of_them(torch, tmp_path):
    path = tmp_path / "m.onnx"
    points = np.array([0, 3, -5, 100], np.int8)
    _model(
        path,
        [
            helper.make_node("QuantizeLinear", ["x", "s", "p"], ["q"], axis=1),
            helper.make_node("DequantizeLinear", ["q", "s", "p"], ["y"], axis=1),
        ],
        {"s": (CHANNEL["s"] / 30).astype(np.float32), "p": points},
    )
    found, expected = _answers(path)
    np.testing.assert_allclose(found, expected, rtol=1e-6)


def test_an_unknown_operator_is_named(torch, tmp_path):
    from evaluation.torchgraph import Network

    _model(tmp_path / "m.onnx", [helper.make_node("Erf", ["x"], ["y"])], {})
    with pytest.raises(UnsupportedModelError, match="no gradients for operator Erf"):
        Network(tmp_path / "m.onnx")
