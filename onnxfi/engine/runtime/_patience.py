"""Patience: how long a run may take, and how much of that is left once a scenario has hung."""

from __future__ import annotations

from onnxfi.engine.runtime._cost import run_seconds
from onnxfi.graph import Model

_LEAST_S = 10.0
_SLACK = 1000  # between the static estimate of a run and what counts as hung
_SHARE = 8
_FLOOR_S = 1.0


def default_timeout(model: Model, batch_size: int, steps: int = 1) -> float:
    """Seconds after which a run counts as hung, from static sizes alone.

    A thousand times the estimate for one run, at least 10 s: far beyond what a busy machine adds,
    so that only runs that never end are cut off.

    Args:
        model: The model.
        batch_size: Samples in one run.
        steps: Steps of a sequence.
    """
    return max(_LEAST_S, _SLACK * run_seconds(model, batch_size * steps))


def shortened(timeout_s: float) -> float:
    """The limit of runs in a scenario that has hung before: an eighth, at least one second."""
    return max(timeout_s / _SHARE, min(timeout_s, _FLOOR_S))


class Patience:
    """What the runs of one scenario have shown about hanging.

    A fault in a loop counter hangs every sample. With the whole limit for each run, a batch of 64
    would cost 65 limits, again for every batch. So the first run that hangs has the whole limit,
    later ones of the scenario have less (:func:`shortened`); and once all samples of one batch
    have hung singly, a later batch that hangs is not taken apart. A healthy sample is safe: a
    batch cut off too early is taken apart unless an earlier batch hung to the last sample.

    It starts anew with each scenario and follows the order of its samples, so that what a
    scenario gives does not depend on the ones before it.
    """

    def __init__(self) -> None:
        self.hurried = False
        self.hopeless = False

    def hurry(self) -> None:
        """Take note of a run that hung."""
        self.hurried = True

    def saw_singles(self, timed_out: list[bool]) -> None:
        """Take note of which samples of a batch that hung also hung singly."""
        self.hopeless = self.hopeless or all(timed_out)
