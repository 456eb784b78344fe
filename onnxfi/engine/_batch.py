"""The default batch size, from static sizes alone so that it is the same on every machine."""

from __future__ import annotations

import math

from onnxfi.bits import format_of, has_format
from onnxfi.graph import Model
from onnxfi.workload import Workload

# Measured on ResNet-8 and LeNet-5 (fp32 and int8, one thread): time per image is lowest from 32
# to 128 samples, 10 to 40 % above that at 1, and 5 to 10 % above it at 1000, where activations no
# longer fit the cache.
_BEST = 64
_RUN_BYTES = 512 << 20


def default_batch_size(model: Model, workload: Workload) -> int:
    """Samples in one run: 64, or fewer where a single node would hold over 512 MiB."""
    size = _BEST
    per_sample = max(1, _largest_node_bytes(model), _input_bytes(workload))
    while size > 1 and size * per_sample > _RUN_BYTES:
        size //= 2
    return min(size, workload.samples)


def _input_bytes(workload: Workload) -> int:
    return sum(values[:1].nbytes for values in workload.inputs.values())


def _largest_node_bytes(model: Model) -> int:
    """Bytes that the hungriest node reads and writes for one sample; unknown sizes count as 1."""
    stored = model.index.initializers
    largest = 0
    for node in model.index.nodes:
        values = {*node.inputs, *node.outputs} - stored.keys()
        largest = max(largest, sum(_bytes(model, value) for value in values))
    return largest


def _bytes(model: Model, value: str) -> int:
    shape = model.index.shape_of(value)
    element = model.index.element_of(value)
    if shape is None or element is None or not has_format(element):
        return 0
    dims = [dim for dim in shape if isinstance(dim, int) and dim > 0]
    return math.prod(dims) * format_of(element).word.itemsize
