"""How a workload is cut into runs: the default batch size, and the windows of samples.

The default follows from static sizes alone, so that it is the same on every machine.
"""

from __future__ import annotations

import functools
import math
from collections.abc import Mapping

from onnxfi.bits import format_of, has_format
from onnxfi.graph import Model
from onnxfi.inject import BatchWindow
from onnxfi.workload import Workload

# Measured on ResNet-8 and LeNet-5 (fp32 and int8, one thread): time per image is lowest from 32
# to 128 samples, 10 to 40 % above that at 1, and 5 to 10 % above it at 1000, where activations no
# longer fit the cache.
_BEST = 64

# Engine cut keeps what nodes compute for the samples of a run. Models that compute that much a
# sample lose nothing by smaller runs: EfficientNet-Lite0 (50 MiB a sample at 224 x 224, one thread)
# takes 3.8 ms an image in batches of 4 and 4.8 ms in batches of 32 and 64.
_RUN_BYTES = 256 << 20


def default_batch_size(model: Model, workload: Workload) -> int:
    """Samples in one run: 64, or fewer where all values of the run would take over 256 MiB."""
    size = _BEST
    per_sample = max(1, _computed_bytes(model, workload), _input_bytes(workload))
    while size > 1 and size * per_sample > _RUN_BYTES:
        size //= 2
    return min(size, workload.samples)


def _input_bytes(workload: Workload) -> int:
    return sum(values[:1].nbytes for values in workload.inputs.values())


def _computed_bytes(model: Model, workload: Workload) -> int:
    """Bytes that all nodes write for one sample; sizes that nothing tells count as 1."""
    named = _named_sizes(model, workload)
    values = {value for node in model.index.nodes for value in node.outputs if value}
    return sum(_bytes(model, value, named) for value in values)


def _named_sizes(model: Model, workload: Workload) -> dict[str, int]:
    """What the dimensions that the inputs leave open are in a run of one sample, by name."""
    arrays = workload.batch(0, 1)
    return {
        dim: size
        for spec in model.inputs
        if spec.shape is not None and len(spec.shape) == arrays[spec.name].ndim
        for dim, size in zip(spec.shape, arrays[spec.name].shape, strict=True)
        if isinstance(dim, str)
    }


def _bytes(model: Model, value: str, named: Mapping[str, int]) -> int:
    shape = model.index.shape_of(value)
    element = model.index.element_of(value)
    if shape is None or element is None or not has_format(element):
        return 0
    sizes = [named.get(dim, 1) if isinstance(dim, str) else dim or 1 for dim in shape]
    return math.prod(max(1, size) for size in sizes) * format_of(element).word.itemsize


# Asked for by every scenario, with the same few answers.
@functools.lru_cache(maxsize=16)
def windows(samples: int, batch_size: int, fixed_batch: int | None) -> tuple[BatchWindow, ...]:
    """Consecutive windows over all samples.

    Args:
        samples: Samples in the workload.
        batch_size: Samples in one run.
        fixed_batch: Rows that the model insists on (padded up to), None for any number.
    """
    starts = range(0, samples, batch_size)
    cuts = ((start, min(start + batch_size, samples)) for start in starts)
    return tuple(
        BatchWindow(start=start, stop=stop, size=fixed_batch or stop - start)
        for start, stop in cuts
    )


def singles(window: BatchWindow, fixed_batch: int | None) -> tuple[BatchWindow, ...]:
    """The samples of a window, each in a run of its own."""
    return tuple(
        BatchWindow(start=sample, stop=sample + 1, size=fixed_batch or 1)
        for sample in range(window.start, window.stop)
    )
