"""An .onnx file run by torch, so that gradients can be had: for comparison only."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import torch
from numpy.typing import NDArray
from onnx import helper, numpy_helper
from torch import Tensor

from evaluation.torchops import OPERATORS
from onnxfi.errors import UnsupportedModelError

_RANGES = {
    onnx.TensorProto.UINT8: (0, 255),
    onnx.TensorProto.INT8: (-128, 127),
    onnx.TensorProto.UINT16: (0, 65535),
    onnx.TensorProto.INT16: (-32768, 32767),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class _Call:
    """One operator call: its inputs by name, "" for an omitted one."""

    op_type: str
    inputs: tuple[str, ...]
    output: str
    attributes: Mapping[str, Any]


class Network:
    """A model as torch functions; floats in float32, whatever the file stores them in.

    Attributes:
        stored: Initializers by name. Integers are codes held as float64, but for shapes and axes.
        output: Name of the first output.
    """

    def __init__(self, path: Path) -> None:
        """Read a file.

        Raises:
            UnsupportedModelError: It has an operator that is not among those known here.
        """
        graph = onnx.load(path).graph
        types = {tensor.name: tensor.data_type for tensor in graph.initializer}
        unknown = sorted({node.op_type for node in graph.node} - {*OPERATORS, "Constant"})
        if unknown:
            raise UnsupportedModelError(
                f"{path}: no gradients for operator {', '.join(unknown)}; known are"
                f" {', '.join(OPERATORS)}"
            )
        self.stored = {
            each.name: _tensor(numpy_helper.to_array(each)) for each in graph.initializer
        }
        self.output = graph.output[0].name
        self._input = next(each.name for each in graph.input if each.name not in types)
        self._calls = []
        for node in graph.node:
            attributes = {each.name: helper.get_attribute_value(each) for each in node.attribute}
            if node.op_type == "Constant":
                value = numpy_helper.to_array(attributes["value"])
                self.stored[node.output[0]] = _tensor(value)
                continue
            if node.op_type == "QuantizeLinear":
                point = node.input[2] if len(node.input) > 2 else ""
                attributes["range"] = _RANGES[types.get(point, onnx.TensorProto.UINT8)]
            self._calls.append(
                _Call(
                    op_type=node.op_type,
                    inputs=tuple(node.input),
                    output=node.output[0],
                    attributes=attributes,
                )
            )

    def follow(self, names: Sequence[str]) -> list[Tensor]:
        """Stored tensors, from now on ones that gradients are taken in."""
        return [self.stored[name].requires_grad_() for name in names]

    def run(self, samples: Tensor) -> dict[str, Tensor]:
        """All values, by name.

        Args:
            samples: What the one input is fed.
        """
        values = {**self.stored, self._input: samples}
        for call in self._calls:
            inputs = [values[name] if name else None for name in call.inputs]
            values[call.output] = OPERATORS[call.op_type](call.attributes, inputs)
        return values

    def answer(self, samples: NDArray[np.float32]) -> NDArray[np.float32]:
        """The first output, without gradients."""
        with torch.no_grad():
            found: NDArray[np.float32] = self.run(torch.from_numpy(samples))[self.output].numpy()
        return found


def _tensor(values: NDArray[Any]) -> Tensor:
    if values.dtype == np.int64 or values.dtype == np.bool_:
        return torch.from_numpy(np.array(values))
    # int4 and bfloat16 are no kinds of numpy's own.
    codes = values.dtype.kind in "iu" or "int" in values.dtype.name
    return torch.from_numpy(np.array(values, np.float64 if codes else np.float32))
