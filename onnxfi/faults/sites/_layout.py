"""Where one sample's elements lie in a run-time tensor that holds a whole batch."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True, slots=True, kw_only=True)
class SampleLayout:
    """How the samples of a batch share one tensor.

    Attributes:
        shape: Shape of the part of the tensor that belongs to one sample. With a batch axis, that
            axis has ``rows`` entries; without one, it is the whole tensor.
        batch_axis: The axis along which samples follow each other, or None for a value that
            exists once per run.
        steps: How often the value is made anew in a run over one sample, where it is repeated: the
            most that a profile has seen. None for a value that is made once.
    """

    shape: tuple[int, ...]
    batch_axis: int | None
    steps: int | None = None

    @property
    def rows(self) -> int:
        """Entries along the batch axis that belong to one sample (1 for a per-run value)."""
        return 1 if self.batch_axis is None else self.shape[self.batch_axis]

    @property
    def elements(self) -> int:
        """Elements of one sample."""
        return math.prod(self.shape)

    def run_shape(self, samples: int) -> tuple[int, ...]:
        """Shape of the whole tensor in a run over ``samples`` samples."""
        if self.batch_axis is None:
            return self.shape
        axis = self.batch_axis
        return (*self.shape[:axis], samples * self.rows, *self.shape[axis + 1 :])

    def flat(
        self, index: NDArray[np.int64], position: NDArray[np.int64], samples: int
    ) -> NDArray[np.int64]:
        """Flat indices into the run-time tensor.

        Args:
            index: Flat (C order) indices within one sample, int64.
            position: Which sample of the batch each index belongs to, int64; broadcast against
                ``index``. Ignored for a per-run value.
            samples: Samples in the batch.

        Returns:
            int64 array of the broadcast shape.
        """
        if self.batch_axis is None:
            return np.broadcast_to(index, np.broadcast_shapes(index.shape, position.shape)).copy()
        if self.batch_axis == 0:  # as below, without divisions
            return index + position * self.elements
        block = math.prod(self.shape[self.batch_axis :])
        before, within = np.divmod(index, block)
        return (before * samples + position) * block + within
