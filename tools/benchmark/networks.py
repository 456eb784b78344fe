"""The networks that are built here: two residual networks and a tiny one, weights from a seed.

No training framework is needed. Convolutions, BatchNormalization and Relu stay apart, as an
exporter writes them that does not fold; onnxruntime fuses them when it loads the file.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray
from onnx import ModelProto, NodeProto, TensorProto, helper, numpy_helper

from benchmark.plain import plain_session

Floats = NDArray[np.float32]
_CALIBRATION = 64


@dataclass(frozen=True, slots=True, kw_only=True)
class ResNetSpec:
    """A residual network of basic blocks.

    Attributes:
        widths: Channels of each stage.
        blocks: Blocks of each stage.
        imagenet_stem: 7x7 convolution with stride 2 and a max pooling, else a 3x3 convolution.
        image: Channels, height and width of an input.
    """

    widths: tuple[int, ...]
    blocks: tuple[int, ...]
    imagenet_stem: bool
    image: tuple[int, int, int]


#: ResNet-20 as for CIFAR, with 1x1 projections (272,474 parameters); ResNet-18 with ten classes
#: (11.2 million); and ResNet-20 half and twice as wide.
RESNETS = {
    "resnet20": ResNetSpec(
        widths=(16, 32, 64), blocks=(3, 3, 3), imagenet_stem=False, image=(3, 32, 32)
    ),
    "resnet20_half": ResNetSpec(
        widths=(8, 16, 32), blocks=(3, 3, 3), imagenet_stem=False, image=(3, 32, 32)
    ),
    "resnet20_double": ResNetSpec(
        widths=(32, 64, 128), blocks=(3, 3, 3), imagenet_stem=False, image=(3, 32, 32)
    ),
    "resnet18": ResNetSpec(
        widths=(64, 128, 256, 512), blocks=(2, 2, 2, 2), imagenet_stem=True, image=(3, 64, 64)
    ),
}


@dataclass(slots=True)
class _Builder:
    """Nodes and weights in the order in which they run."""

    rng: np.random.Generator
    nodes: list[NodeProto] = field(default_factory=list)
    weights: dict[str, Floats] = field(default_factory=dict)
    norms: list[tuple[str, str]] = field(default_factory=list)  # input and prefix of each norm

    def add(self, op_type: str, inputs: Sequence[str], name: str, **attributes: Any) -> str:
        """A node whose output carries its name."""
        self.nodes.append(helper.make_node(op_type, inputs, [name], name=name, **attributes))
        return name

    def conv_norm(self, x: str, name: str, shape: tuple[int, int, int], stride: int) -> str:
        """A convolution of (outputs, inputs, kernel) without bias, and its normalisation."""
        out, channels, kernel = shape
        deviation = math.sqrt(2 / (out * kernel * kernel))  # He's, by fan-out
        drawn = self.rng.normal(0, deviation, (out, channels, kernel, kernel))
        self.weights[f"{name}.weight"] = drawn.astype(np.float32)
        pads = [kernel // 2] * 4
        conv = self.add(
            "Conv",
            [x, f"{name}.weight"],
            f"{name}/Conv",
            kernel_shape=[kernel, kernel],
            strides=[stride, stride],
            pads=pads,
        )
        norm = f"{name}.norm"
        self.weights[f"{norm}.scale"] = self.rng.uniform(0.5, 1.5, out).astype(np.float32)
        self.weights[f"{norm}.bias"] = self.rng.uniform(-0.2, 0.2, out).astype(np.float32)
        self.weights[f"{norm}.mean"] = np.zeros(out, np.float32)
        self.weights[f"{norm}.var"] = np.ones(out, np.float32)
        self.norms.append((conv, norm))
        given = [conv, *(f"{norm}.{part}" for part in ("scale", "bias", "mean", "var"))]
        return self.add("BatchNormalization", given, f"{name}/BatchNormalization")

    def block(self, x: str, name: str, shape: tuple[int, int], stride: int) -> str:
        """Two convolutions of (outputs, inputs) beside a shortcut."""
        out, channels = shape
        y = self.conv_norm(x, f"{name}.conv1", (out, channels, 3), stride)
        y = self.add("Relu", [y], f"{name}/Relu1")
        y = self.conv_norm(y, f"{name}.conv2", (out, out, 3), 1)
        if stride != 1 or out != channels:
            x = self.conv_norm(x, f"{name}.shortcut", (out, channels, 1), stride)
        return self.add("Relu", [self.add("Add", [y, x], f"{name}/Add")], f"{name}/Relu2")

    def model(self, image: Sequence[int], outputs: Sequence[str]) -> ModelProto:
        """What has been built so far, with a free batch axis."""
        kind = TensorProto.FLOAT
        inputs = [helper.make_tensor_value_info("image", kind, ["batch", *image])]
        results = [helper.make_tensor_value_info(name, kind, None) for name in outputs]
        stored = [numpy_helper.from_array(value, name) for name, value in self.weights.items()]
        graph = helper.make_graph(self.nodes, "benchmark", inputs, results, stored)
        opset = [helper.make_opsetid("", 17)]
        return helper.make_model(graph, opset_imports=opset, ir_version=8)


def images(spec: ResNetSpec, samples: int, seed: int) -> Floats:
    """Normal inputs."""
    rng = np.random.default_rng(seed)
    return rng.standard_normal((samples, *spec.image), dtype=np.float32)


def build_resnet(spec: ResNetSpec, seed: int = 20, classes: int = 10) -> ModelProto:
    """A residual network with random weights that behaves like a trained one.

    Statistics of the normalisations come from random inputs, layer by layer, and the scores are
    centred: otherwise activations die out or explode, and one class wins every sample, and both
    would change how much of a fault survives.
    """
    built = _Builder(np.random.default_rng(seed))
    width = spec.widths[0]
    stem = (width, spec.image[0], 7 if spec.imagenet_stem else 3)
    x = built.conv_norm("image", "stem", stem, 2 if spec.imagenet_stem else 1)
    x = built.add("Relu", [x], "stem/Relu")
    if spec.imagenet_stem:
        shape = {"kernel_shape": [3, 3], "strides": [2, 2], "pads": [1, 1, 1, 1]}
        x = built.add("MaxPool", [x], "stem/MaxPool", **shape)
    channels = width
    for stage, (out, count) in enumerate(zip(spec.widths, spec.blocks, strict=True)):
        for number in range(count):
            stride = 2 if stage > 0 and number == 0 else 1
            x = built.block(x, f"stage{stage}.{number}", (out, channels), stride)
            channels = out
    x = built.add("Flatten", [built.add("GlobalAveragePool", [x], "pool")], "flatten", axis=1)
    bound = 1 / math.sqrt(channels)
    drawn = built.rng.uniform(-bound, bound, (classes, channels))
    built.weights["fc.weight"] = drawn.astype(np.float32)
    built.weights["fc.bias"] = np.zeros(classes, np.float32)
    built.add("Gemm", [x, "fc.weight", "fc.bias"], "logits", transB=1)
    _calibrate(built, spec, seed)
    return built.model(spec.image, ["logits"])


def _calibrate(built: _Builder, spec: ResNetSpec, seed: int) -> None:
    x = images(spec, _CALIBRATION, seed + 1)
    for conv, norm in built.norms:
        found = _run(built.model(spec.image, [conv]), x)
        built.weights[f"{norm}.mean"] = found.mean((0, 2, 3), dtype=np.float64).astype(np.float32)
        built.weights[f"{norm}.var"] = found.var((0, 2, 3), dtype=np.float64).astype(np.float32)
    scores = _run(built.model(spec.image, ["logits"]), x)
    built.weights["fc.bias"] = -scores.mean(0)


def _run(model: ModelProto, x: Floats) -> Floats:
    written: bytes = model.SerializeToString()  # type: ignore[no-untyped-call]
    return np.asarray(plain_session(written).run(None, {"image": x})[0], np.float32)


def build_tiny(seed: int = 20) -> ModelProto:
    """One small convolution and one matrix product: nearly nothing to compute."""
    rng = np.random.default_rng(seed)
    built = _Builder(rng)
    built.weights["conv.weight"] = rng.standard_normal((2, 1, 3, 3)).astype(np.float32)
    built.weights["fc.weight"] = rng.standard_normal((3, 8)).astype(np.float32)
    x = built.add("Conv", ["image", "conv.weight"], "conv/Conv", kernel_shape=[3, 3])
    x = built.add("Flatten", [built.add("Relu", [x], "conv/Relu")], "flatten", axis=1)
    built.add("Gemm", [x, "fc.weight"], "logits", transB=1)
    return built.model((1, 4, 4), ["logits"])
