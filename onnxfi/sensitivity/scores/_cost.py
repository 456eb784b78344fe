"""What measuring a sensitivity cost, in the unit that injections are paid in."""

from __future__ import annotations

import math
from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Cost:
    """Runs beyond the fault-free ones.

    Attributes:
        samples: Samples run, each through the whole model.
        runs: Runs they were in.
    """

    samples: int = 0
    runs: int = 0

    def __add__(self, other: Cost) -> Cost:
        """Both."""
        return Cost(samples=self.samples + other.samples, runs=self.runs + other.runs)

    def injections(self, workload_samples: int) -> int:
        """As how many injections over a workload it counts, rounded up.

        Args:
            workload_samples: Samples that an injection is carried out over.
        """
        return math.ceil(self.samples / workload_samples)
