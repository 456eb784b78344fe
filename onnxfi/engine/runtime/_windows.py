"""Batch windows: how the samples of a workload are cut into runs."""

from __future__ import annotations

import functools

from onnxfi.inject import BatchWindow


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
