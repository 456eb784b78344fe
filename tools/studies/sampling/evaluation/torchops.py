"""ONNX operators as torch functions that gradients pass through."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional

Operator = Callable[[Mapping[str, Any], Sequence[Tensor | None]], Tensor]
"""Attributes and inputs (None for an omitted one) to the first output."""

CONVOLUTIONS = (functional.conv1d, functional.conv2d, functional.conv3d)
MAX_POOLS = (functional.max_pool1d, functional.max_pool2d, functional.max_pool3d)
AVERAGE_POOLS = (functional.avg_pool1d, functional.avg_pool2d, functional.avg_pool3d)


def _window(attributes: Mapping[str, Any], kernel: Sequence[int]) -> tuple[list[int], list[int]]:
    """Strides and dilations."""
    ones = [1] * len(kernel)
    return attributes.get("strides", ones), attributes.get("dilations", ones)


def _padded(
    x: Tensor, attributes: Mapping[str, Any], kernel: Sequence[int], value: float = 0.0
) -> Tensor:
    """With the padding of a convolution or pool; torch wants it from the last axis back."""
    strides, dilations = _window(attributes, kernel)
    count = len(kernel)
    mode = attributes.get("auto_pad", b"NOTSET")
    pads = list(attributes.get("pads", [0] * 2 * count))
    if mode in (b"SAME_UPPER", b"SAME_LOWER"):
        for axis, (size, stride) in enumerate(zip(x.shape[2:], strides, strict=True)):
            reach = (kernel[axis] - 1) * dilations[axis] + 1
            total = max(0, (-(-size // stride) - 1) * stride + reach - size)
            small, large = total // 2, total - total // 2
            first, last = (small, large) if mode == b"SAME_UPPER" else (large, small)
            pads[axis], pads[axis + count] = first, last
    if not any(pads):
        return x
    turned = [pads[axis + end * count] for axis in reversed(range(count)) for end in (0, 1)]
    return functional.pad(x, turned, value=value)


def _conv(attributes: Mapping[str, Any], inputs: Sequence[Tensor | None]) -> Tensor:
    x, weight = inputs[0], inputs[1]
    bias = inputs[2] if len(inputs) > 2 else None
    kernel = weight.shape[2:]
    strides, dilations = _window(attributes, kernel)
    x = _padded(x, attributes, kernel)
    convolve = CONVOLUTIONS[len(kernel) - 1]
    group = attributes.get("group", 1)
    return convolve(x, weight, bias, stride=strides, dilation=dilations, groups=group)


def _max_pool(attributes: Mapping[str, Any], inputs: Sequence[Tensor | None]) -> Tensor:
    kernel = attributes["kernel_shape"]
    strides, dilations = _window(attributes, kernel)
    x = _padded(inputs[0], attributes, kernel, value=float("-inf"))
    ceil = bool(attributes.get("ceil_mode", 0))
    pool = MAX_POOLS[len(kernel) - 1]
    return pool(x, kernel, stride=strides, dilation=dilations, ceil_mode=ceil)


def _average_pool(attributes: Mapping[str, Any], inputs: Sequence[Tensor | None]) -> Tensor:
    x, kernel = inputs[0], attributes["kernel_shape"]
    strides, _ = _window(attributes, kernel)
    pool = AVERAGE_POOLS[len(kernel) - 1]
    ceil = bool(attributes.get("ceil_mode", 0))
    padded = _padded(x, attributes, kernel)
    found = pool(padded, kernel, stride=strides, ceil_mode=ceil)
    if attributes.get("count_include_pad", 0) or padded is x:
        return found
    inside = _padded(torch.ones_like(x), attributes, kernel)
    return found / pool(inside, kernel, stride=strides, ceil_mode=ceil)


def _gemm(attributes: Mapping[str, Any], inputs: Sequence[Tensor | None]) -> Tensor:
    a, b = inputs[0], inputs[1]
    a = a.T if attributes.get("transA", 0) else a
    b = b.T if attributes.get("transB", 0) else b
    found = attributes.get("alpha", 1.0) * (a @ b)
    if len(inputs) > 2 and inputs[2] is not None:
        found = found + attributes.get("beta", 1.0) * inputs[2]
    return found


def _normalized(attributes: Mapping[str, Any], inputs: Sequence[Tensor | None]) -> Tensor:
    # Written out, since torch's own has no gradients of mean and variance, which are stored, too.
    x = inputs[0]
    scale, bias, mean, variance = (_along(each, x, 1) for each in inputs[1:])
    return (x - mean) / torch.sqrt(variance + attributes.get("epsilon", 1e-5)) * scale + bias


def _clip(attributes: Mapping[str, Any], inputs: Sequence[Tensor | None]) -> Tensor:
    x = inputs[0]
    for bound, given, name in zip(
        (torch.maximum, torch.minimum), [*inputs[1:], None, None], ("min", "max"), strict=False
    ):
        limit = attributes.get(name) if given is None else given
        if limit is not None:  # a stored limit has a gradient of its own
            x = bound(x, torch.as_tensor(limit, dtype=x.dtype))
    return x


def _reshape(attributes: Mapping[str, Any], inputs: Sequence[Tensor | None]) -> Tensor:
    x, keep = inputs[0], not attributes.get("allowzero", 0)
    wanted = [int(size) for size in inputs[1]]
    return x.reshape([x.shape[k] if keep and not n else n for k, n in enumerate(wanted)])


def _flatten(attributes: Mapping[str, Any], inputs: Sequence[Tensor | None]) -> Tensor:
    x, axis = inputs[0], attributes.get("axis", 1)
    before = 1
    for size in x.shape[:axis]:
        before *= size
    return x.reshape(before, -1)


def _transpose(attributes: Mapping[str, Any], inputs: Sequence[Tensor | None]) -> Tensor:
    axes = range(inputs[0].dim())
    return inputs[0].permute(*attributes.get("perm", reversed(axes)))


def _global_average(attributes: Mapping[str, Any], inputs: Sequence[Tensor | None]) -> Tensor:
    del attributes
    return inputs[0].mean(dim=tuple(range(2, inputs[0].dim())), keepdim=True)


def _reduce_mean(attributes: Mapping[str, Any], inputs: Sequence[Tensor | None]) -> Tensor:
    given = attributes.get("axes") if len(inputs) < 2 or inputs[1] is None else inputs[1].tolist()
    axes = tuple(given) if given else tuple(range(inputs[0].dim()))
    return inputs[0].mean(dim=axes, keepdim=bool(attributes.get("keepdims", 1)))


def _along(parameter: Tensor, x: Tensor, axis: int) -> Tensor:
    """A parameter a channel, in the shape that lines up with the tensor's axis."""
    if parameter.dim() != 1 or parameter.numel() == 1:
        return parameter
    shape = [1] * x.dim()
    shape[axis] = -1
    return parameter.reshape(shape)


def _dequantize(attributes: Mapping[str, Any], inputs: Sequence[Tensor | None]) -> Tensor:
    x, scale, axis = inputs[0], inputs[1], attributes.get("axis", 1)
    if len(inputs) > 2 and inputs[2] is not None:
        x = x - _along(inputs[2], x, axis)
    # Codes are held in float64, which has room for those of 32 bits.
    return (x * _along(scale, x, axis)).to(scale.dtype)


def _quantize(attributes: Mapping[str, Any], inputs: Sequence[Tensor | None]) -> Tensor:
    """Codes as real numbers; the gradient passes straight through, but where it is clipped."""
    x, scale, axis = inputs[0], inputs[1], attributes.get("axis", 1)
    exact = x / _along(scale, x, axis)
    rounded = exact + (exact.round() - exact).detach()
    if len(inputs) > 2 and inputs[2] is not None:
        rounded = rounded + _along(inputs[2], x, axis)
    return rounded.clamp(*attributes["range"])


def _unary(function: Callable[[Tensor], Tensor]) -> Operator:
    return lambda _, inputs: function(inputs[0])


def _binary(function: Callable[[Tensor, Tensor], Tensor]) -> Operator:
    return lambda _, inputs: function(inputs[0], inputs[1])


OPERATORS: Mapping[str, Operator] = {
    "Add": _binary(torch.add),
    "AveragePool": _average_pool,
    "BatchNormalization": _normalized,
    "Cast": _unary(lambda x: x),  # between float formats; the others are found out by comparing
    "Clip": _clip,
    "Concat": lambda attributes, inputs: torch.cat(list(inputs), dim=attributes["axis"]),
    "Conv": _conv,
    "DequantizeLinear": _dequantize,
    "Div": _binary(torch.div),
    "Dropout": _unary(lambda x: x),
    "Flatten": _flatten,
    "Gemm": _gemm,
    "GlobalAveragePool": _global_average,
    "HardSwish": _unary(functional.hardswish),
    "Identity": _unary(lambda x: x),
    "LeakyRelu": lambda attributes, inputs: functional.leaky_relu(
        inputs[0], attributes.get("alpha", 0.01)
    ),
    "MatMul": _binary(torch.matmul),
    "MaxPool": _max_pool,
    "Mul": _binary(torch.mul),
    "QuantizeLinear": _quantize,
    "ReduceMean": _reduce_mean,
    "Relu": _unary(torch.relu),
    "Reshape": _reshape,
    "Sigmoid": _unary(torch.sigmoid),
    "Softmax": lambda attributes, inputs: inputs[0].softmax(attributes.get("axis", -1)),
    "Sub": _binary(torch.sub),
    "Tanh": _unary(torch.tanh),
    "Transpose": _transpose,
}
"""By operator type; of operators with several outputs the first."""
