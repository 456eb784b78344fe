"""Models as others quantize them: integers and floats side by side, with settings of their own.

They are made of the zoo's float models by onnxruntime's own quantizer, or here where that needs
packages beyond it, and of a packaged text classifier if that is installed.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from importlib.metadata import PackageNotFoundError, files
from pathlib import Path
from typing import Any

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import ModelProto, TensorProto, helper, numpy_helper

MODELS = Path(__file__).resolve().parents[2] / "models"
_BLOCK = 16
# A line of text as the classifier takes it: channels, rows, columns of pixels.
LINE_SHAPE = (3, 48, 192)
_PACKAGE = "rapidocr-onnxruntime"
_CALIBRATION = 64


def make(folder: Path, only: Sequence[str]) -> list[Path]:
    """Write models into a folder, those whose name contains one of some words."""
    wanted = {name: write for name, write in _MAKERS.items() if any(w in name for w in only)}
    return [
        folder / f"{name}.onnx" for name, write in wanted.items() if write(folder / f"{name}.onnx")
    ]


def _static(base: str, **settings: Any) -> Callable[[Path], bool]:
    """A model of the zoo, quantized from a few samples."""

    def make(path: Path) -> bool:
        data = "fashion" if "fashion" in base else "mnist"
        images = np.load(MODELS / f"{data}_test1000.npz")["image"][:_CALIBRATION]
        _quantize(MODELS / f"{base}.onnx", path, {"image": images}, **settings)
        return True

    return make


def _quantize(
    source: Path, target: Path, samples: Mapping[str, NDArray[Any]], **settings: Any
) -> None:
    from onnxruntime.quantization import CalibrationDataReader, quantize_static

    class Reader(CalibrationDataReader):  # type: ignore[misc]
        """Hands out one sample after the other."""

        def __init__(self) -> None:
            rows = len(next(iter(samples.values())))
            self._left: Iterator[dict[str, NDArray[Any]]] = iter(
                [{name: values[k : k + 1] for name, values in samples.items()} for k in range(rows)]
            )

        def get_next(self) -> dict[str, NDArray[Any]] | None:
            return next(self._left, None)

    quantize_static(str(source), str(target), Reader(), **_resolved(settings))


def _resolved(settings: Mapping[str, Any]) -> dict[str, Any]:
    """Settings with onnxruntime's enumerations in place of their names."""
    from onnxruntime.quantization import QuantFormat, QuantType

    kinds = {"quant_format": QuantFormat, "activation_type": QuantType, "weight_type": QuantType}
    return {
        name: getattr(kinds[name], value) if name in kinds else value
        for name, value in settings.items()
    }


def _packed_weights(path: Path) -> bool:
    """Matrix products on 4-bit weights whose kernel rounds its activations to 8 bits."""
    model = onnx.load(MODELS / "lenet5_mnist_fp32.onnx")
    graph = model.graph
    stored = {tensor.name: numpy_helper.to_array(tensor) for tensor in graph.initializer}
    nodes = []
    for node in graph.node:
        if node.op_type != "Gemm":
            nodes.append(node)
            continue
        weight = stored[node.input[1]]  # (outputs, inputs): transB
        added, packed = _nbits(node.name, weight)
        graph.initializer.extend(packed)
        product = f"{node.name}/product"
        nodes.append(
            helper.make_node(
                "MatMulNBits",
                [node.input[0], *added],
                [product],
                name=f"{node.name}/nbits",
                domain="com.microsoft",
                K=weight.shape[1],
                N=weight.shape[0],
                bits=4,
                block_size=_BLOCK,
                accuracy_level=4,
            )
        )
        nodes.append(
            helper.make_node(
                "Add", [product, node.input[2]], list(node.output), name=f"{node.name}/add"
            )
        )
    _replace(graph, nodes)
    model.opset_import.append(helper.make_opsetid("com.microsoft", 1))
    onnx.save(model, path)
    return True


def _nbits(name: str, weight: NDArray[np.float32]) -> tuple[list[str], list[TensorProto]]:
    """A matrix (N, K) in blocks of 4-bit numbers with scales and zero points."""
    rows, columns = weight.shape
    blocks = -(-columns // _BLOCK)
    padded = np.zeros((rows, blocks * _BLOCK), np.float32)
    padded[:, :columns] = weight
    cut = padded.reshape(rows, blocks, _BLOCK)
    low, high = np.minimum(cut.min(-1), 0), np.maximum(cut.max(-1), 0)
    scale = np.maximum((high - low) / 15, 1e-8).astype(np.float32)
    zero = np.clip(np.rint(-low / scale), 0, 15).astype(np.uint8)
    codes = np.clip(np.rint(cut / scale[..., None]) + zero[..., None], 0, 15).astype(np.uint8)
    pairs = codes[..., 0::2] | (codes[..., 1::2] << 4)
    even = np.pad(zero, ((0, 0), (0, blocks % 2)))
    points = even[:, 0::2] | (even[:, 1::2] << 4)
    arrays = {"codes": pairs, "scales": scale.reshape(-1), "points": points.reshape(-1)}
    names = [f"{name}/{kind}" for kind in arrays]
    tensors = [
        numpy_helper.from_array(np.ascontiguousarray(values), each)
        for each, values in zip(names, arrays.values(), strict=True)
    ]
    return names, tensors


def _halfway(base: str, chosen: Sequence[str]) -> Callable[[Path], bool]:
    """A model of the zoo that computes some of its nodes in half precision."""

    def make(path: Path) -> bool:
        model = onnx.load(MODELS / f"{base}.onnx")
        graph = model.graph
        stored = {tensor.name: tensor for tensor in graph.initializer}
        nodes = []
        for node in graph.node:
            if node.name not in chosen:
                nodes.append(node)
                continue
            for position, name in enumerate(node.input):
                half = f"{node.name}/{name}/half"
                if name in stored:
                    values = numpy_helper.to_array(stored[name]).astype(np.float16)
                    graph.initializer.append(numpy_helper.from_array(values, half))
                else:
                    cast = helper.make_node("Cast", [name], [half], to=TensorProto.FLOAT16)
                    cast.name = f"{half}/cast"
                    nodes.append(cast)
                node.input[position] = half
            made = node.output[0]
            node.output[0] = f"{made}/half"
            back = helper.make_node("Cast", [f"{made}/half"], [made], to=TensorProto.FLOAT)
            back.name = f"{made}/cast"
            nodes += [node, back]
        _replace(graph, nodes)
        onnx.save(model, path)
        return True

    return make


def _replace(graph: onnx.GraphProto, nodes: Sequence[onnx.NodeProto]) -> None:
    """Put nodes in place of a graph's, and drop the initializers that none reads any more."""
    kept = [onnx.NodeProto.FromString(node.SerializeToString()) for node in nodes]
    del graph.node[:]
    graph.node.extend(kept)
    read = {name for node in kept for name in node.input}
    stored = [tensor for tensor in graph.initializer if tensor.name in read]
    held = [TensorProto.FromString(tensor.SerializeToString()) for tensor in stored]
    del graph.initializer[:]
    graph.initializer.extend(held)
    del graph.value_info[:]


def _packaged(path: Path) -> bool:
    """A text classifier that is distributed in a package; whether it is installed."""
    try:
        found = files(_PACKAGE) or []
    except PackageNotFoundError:
        return False
    source = next((each for each in found if each.name.endswith("cls_infer.onnx")), None)
    if source is None:
        return False
    samples = np.random.default_rng(4).normal(size=(8, *LINE_SHAPE)).astype(np.float32)
    model: ModelProto = onnx.load(str(source.locate()))
    convolutions = [node.name for node in model.graph.node if node.op_type == "Conv"]
    _quantize(
        Path(str(source.locate())),
        path,
        {model.graph.input[0].name: samples},
        quant_format="QDQ",
        activation_type="QInt8",
        weight_type="QInt8",
        nodes_to_exclude=[name for name in convolutions[1::3] if name],
    )
    return True


_MAKERS: Mapping[str, Callable[[Path], bool]] = {
    "lenet5_mnist_int8_activations": _static(
        "lenet5_mnist_fp32",
        quant_format="QDQ",
        activation_type="QInt8",
        weight_type="QInt8",
        nodes_to_exclude=["/conv2/Conv"],
    ),
    "lenet5_mnist_whole_range": _static(
        "lenet5_mnist_fp32",
        quant_format="QDQ",
        activation_type="QUInt8",
        weight_type="QInt8",
        per_channel=False,
        nodes_to_exclude=["/fc2/Gemm"],
    ),
    "resnet8_fashion_partly": _static(
        "resnet8_fashion_fp32",
        quant_format="QDQ",
        activation_type="QUInt8",
        weight_type="QInt8",
        per_channel=True,
        nodes_to_exclude=["/stage2/conv1/Conv", "/stage3/Add"],
    ),
    "resnet8_fashion_operators": _static(
        "resnet8_fashion_fp32",
        quant_format="QOperator",
        activation_type="QUInt8",
        weight_type="QUInt8",
        nodes_to_exclude=["/stage1/conv2/Conv", "/head/Gemm"],
    ),
    "lenet5_mnist_packed": _packed_weights,
    "lenet5_mnist_halfway": _halfway("lenet5_mnist_fp32", ("/conv2/Conv", "/fc1/Gemm")),
    "resnet8_fashion_halfway": _halfway(
        "resnet8_fashion_fp32",
        ("/stage2/conv1/Conv", "/stage2/relu1/Relu", "/stage2/conv2/Conv", "/head/Gemm"),
    ),
    "ppocr_classifier": _packaged,
}
