"""Exhaustive sampling: every fault of the space once."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from onnxfi.errors import ConfigError
from onnxfi.faults import FaultSpace, Scenario
from onnxfi.sampling._random import check_seed
from onnxfi.sampling._uniform import UniformSampler


@dataclass(frozen=True, slots=True, kw_only=True)
class ExhaustiveSampler:
    """All faults, in a keyed random order.

    The order is random so that a run which is stopped half-way has a fair sample to estimate from.

    Attributes:
        seed: Of the order, 0..2^64 - 1; the same order as that of uniform sampling.
    """

    seed: int = 0
    kind: str = field(default="exhaustive", init=False)

    def __post_init__(self) -> None:
        check_seed(self.seed)

    def size(self, space: FaultSpace) -> int:
        """All faults of the space.

        Raises:
            ConfigError: A random fault model has no list of all its faults.
        """
        if not space.enumerable:
            models = ", ".join(model.spec() for model in space.models if not model.enumerable)
            raise ConfigError(
                f"the exhaustive sampler needs faults that can be listed, fault model {models} is "
                "random; use the uniform sampler"
            )
        return space.size

    def scenario(self, space: FaultSpace, k: int) -> Scenario:
        """Scenario k."""
        return self._uniform(space).scenario(space, k)

    def scenarios(self, space: FaultSpace, numbers: Sequence[int]) -> list[Scenario]:
        """Many scenarios, each what :meth:`scenario` gives for its number."""
        return self._uniform(space).scenarios(space, numbers)

    def fault_numbers(self, space: FaultSpace, start: int, stop: int) -> NDArray[np.int64] | None:
        """Fault numbers of scenarios ``start`` to ``stop``."""
        return self._uniform(space).fault_numbers(space, start, stop)

    def population(self, space: FaultSpace) -> int | None:
        """Size of the space."""
        return self.size(space)

    def recipe(self) -> dict[str, object]:
        """JSON form."""
        return {"kind": self.kind, "seed": self.seed}

    def _uniform(self, space: FaultSpace) -> UniformSampler:
        return UniformSampler(n=self.size(space), seed=self.seed)
