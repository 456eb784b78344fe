"""The metric for any outputs with numbers: how large the error is beside the golden values."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, Any, ClassVar

import numpy as np
from msgspec import Meta
from numpy.typing import NDArray

from onnxfi.errors import ConfigError
from onnxfi.outcome._metric import Metric
from onnxfi.plugins import unknown_name

if TYPE_CHECKING:
    from onnxfi.outcome._outputs import RunOutputs
    from onnxfi.workload import Labels


@dataclass(frozen=True, slots=True, kw_only=True)
class RelativeError(Metric):
    """L2 norm of the error of an output divided by the L2 norm of the golden output.

    It is undefined where an element of either is infinite or NaN, and where all golden elements
    are zero and the faulty ones are not.
    """

    name: ClassVar[str] = "relative-error"
    help: ClassVar[str] = "L2 norm of the error / L2 norm of the golden output"

    output: Annotated[str | None, Meta(description="The output; all of them if none is named.")] = (
        None
    )

    def measure(
        self,
        golden: RunOutputs,
        faulty: RunOutputs,
        labels: Labels | None,  # noqa: ARG002
    ) -> NDArray[np.float64]:
        """The relative error of each sample."""
        if self.output is not None and self.output not in golden:
            raise ConfigError(unknown_name("output", self.output, golden))
        names = golden if self.output is None else (self.output,)
        squared = [_squares(golden[name], faulty[name]) for name in names]
        with np.errstate(invalid="ignore", divide="ignore", over="ignore"):
            error = np.sqrt(sum(each[0] for each in squared))
            size = np.sqrt(sum(each[1] for each in squared))
            return np.asarray(np.where(error == 0, 0.0, error / size))


def _squares(
    golden: NDArray[Any], faulty: NDArray[Any]
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Sums of squares of errors and of golden values, one a sample; zeros for text."""
    if golden.dtype.kind not in "fiub":
        nothing = np.zeros(len(golden))
        return nothing, nothing
    with np.errstate(invalid="ignore", over="ignore"):
        before, after = (
            each.reshape(len(each), -1).astype(np.float64) for each in (golden, faulty)
        )
        return np.square(after - before).sum(axis=1), np.square(before).sum(axis=1)
