"""Labels: the right answers, numbers of classes or their names."""

from __future__ import annotations

from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from onnxfi.errors import WorkloadError

Labels: TypeAlias = NDArray[np.int64 | np.str_]
"""The right answer of each sample: the number of its class, or its name as the model says it."""


def read_labels(values: NDArray[Any], where: str) -> Labels:
    """Labels as int64 or unicode (samples,).

    Raises:
        WorkloadError: They are something else.
    """
    labels = np.asarray(values)
    if labels.ndim == 1 and labels.dtype.kind in "iu":
        return labels.astype(np.int64)
    if labels.ndim == 1 and labels.dtype.kind in "OUT" and all(isinstance(v, str) for v in labels):
        return labels.astype(np.str_)
    shape = ", ".join(map(str, labels.shape))
    raise WorkloadError(
        f"{where}: labels are {labels.dtype} ({shape}); expected integer class numbers, or words"
        " where the model answers in words, of shape (samples,)"
    )
