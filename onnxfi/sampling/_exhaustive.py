"""Exhaustive sampling: every fault of the space once."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

from onnxfi.sampling._sampler import EQUAL, Seed, check_listed, check_seed
from onnxfi.sampling._uniform import UniformSampler

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from onnxfi.faults import FaultSpace, Scenario


@dataclass(frozen=True, slots=True, kw_only=True)
class ExhaustiveSampler:
    """All faults, in a keyed random order.

    The order is random so that a run which is stopped half-way has a fair sample to estimate from.

    Attributes:
        seed: Of the order, 0..2^64 - 1; the same order as that of uniform sampling.
    """

    name: ClassVar[str] = "exhaustive"
    help: ClassVar[str] = "all of them"
    design: ClassVar[str] = EQUAL

    seed: Seed = 0

    def __post_init__(self) -> None:
        check_seed(self.seed)

    def size(self, space: FaultSpace) -> int:
        """All faults of the space.

        Raises:
            ConfigError: A random fault model has no list of all its faults.
        """
        check_listed(self.name, space)
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
        return {"kind": self.name, "seed": self.seed}

    def _uniform(self, space: FaultSpace) -> UniformSampler:
        return UniformSampler(n=self.size(space), seed=self.seed)
