"""Agreement: whether a graph answers without faults as the session of the user's file does."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from onnxfi.engine.executable._grouping import Deployed
from onnxfi.engine.golden import BatchResult, EngineContext, judged, once, sample_outcomes
from onnxfi.engine.runtime import Session, Watchdog, same
from onnxfi.engine.study import windows
from onnxfi.outcome import Outcome, RunOutputs

#: By how much fault-free outputs of a float model may differ, as a share of the largest one: other
#: kernels add up in another order.
ROUNDING = 1e-3


@dataclass(frozen=True, slots=True, kw_only=True)
class Agreement:
    """How the fault-free outputs of a graph compare with those of the file's own session.

    Attributes:
        samples: Samples compared: those of the first batch.
        differing: Samples with another answer.
        rounding: Largest difference of an output, as a share of its largest value; 0 if all bits
            are the same, infinite where outputs can't be compared.
    """

    samples: int
    differing: int
    rounding: float

    def holds(self, *, exact: bool) -> bool:
        """Whether the graph may stand for the file: in all bits, or up to rounding."""
        return not self.differing and self.rounding <= (0.0 if exact else ROUNDING)

    def stands(self, deployed: Deployed, *, shared: bool) -> bool:
        """Whether the graph may stand for the file's, given what the model is deployed as.

        Integer kernels answer alike in all bits: a difference means that others run. A graph of one
        scenario in such a model has others beside what is touched, so that only answers count.
        """
        if deployed.quantized and shared:
            return self.holds(exact=True)
        if deployed.quantized or deployed.halves:
            return not self.differing
        return self.holds(exact=False)

    def __str__(self) -> str:
        """In words, for reasons."""
        if self.differing:
            return f"without faults it answers {self.differing} of {self.samples} samples otherwise"
        return f"without faults its outputs are off by {self.rounding:.1g} of the largest"


class OwnAnswers:
    """What the session of the user's file answers on the first batch.

    Args:
        context: Model, workload and settings.
        watchdog: Ends runs that take too long.
    """

    def __init__(self, context: EngineContext, watchdog: Watchdog) -> None:
        self._context = context
        self._watchdog = watchdog
        profile, samples = context.profile, context.workload.samples
        self.first = windows(samples, profile.batch_size, profile.fixed_batch)[0]

    def compare(self, found: RunOutputs) -> Agreement:
        """Compare the fault-free outputs of a graph on the first batch.

        Raises:
            GoldenError: The file's own run fails.
        """
        context, window = self._context, self.first
        outputs = judged(context, found)
        result = BatchResult(window=window, golden=self._outputs, faulty=outputs, failure=None)
        codes = sample_outcomes(context, result)
        return Agreement(
            samples=window.samples,
            differing=int(np.count_nonzero(codes > Outcome.TOLERABLE)),
            rounding=max(_distance(own, outputs[name]) for name, own in self._outputs.items()),
        )

    @cached_property
    def _outputs(self) -> RunOutputs:
        context = self._context
        if context.answers is not None:
            return judged(context, context.answers)
        session = Session(context.model, context.settings, self._watchdog)
        return judged(context, once(session, context.workload, self.first, {}))


def _distance(own: NDArray[Any], other: NDArray[Any]) -> float:
    """Largest difference, as a share of the largest value."""
    if same(own, other):
        return 0.0
    if own.shape != other.shape or own.dtype != other.dtype or own.dtype.kind in "OUS":
        return np.inf
    with np.errstate(all="ignore"):
        one, two = own.astype(np.float64), other.astype(np.float64)
        finite = np.isfinite(one)
        if not np.array_equal(finite, np.isfinite(two)):
            return np.inf
        largest = np.abs(one[finite]).max(initial=0.0)
        return float(np.abs(one[finite] - two[finite]).max(initial=0.0) / max(largest, 1e-30))
