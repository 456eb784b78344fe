"""Importance sampling: likely faults first, every fault once, and still an unbiased rate."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from onnxfi.faults import FaultSpace, Scenario
from onnxfi.sampling._priority import Mixture, PriorityOrder, priority_order
from onnxfi.sampling._random import check_seed
from onnxfi.sampling._sampler import check_count, check_fits, check_numbers
from onnxfi.sampling._scores import Scores


@dataclass(frozen=True, slots=True, kw_only=True)
class ImportanceSampler:
    """Single faults in a priority order by scores; see :func:`priority_order`.

    Scenarios carry their weight and key, from which inclusion probabilities follow for any prefix,
    so that a rate can be estimated without bias. The idea to draw faults by importance is that of
    ISimDL (arXiv 2303.08035); the design, which allows estimates, is priority sampling.

    Attributes:
        n: Scenarios.
        scores: How likely each fault is to fail.
        seed: 0..2^64 - 1.
        uniform_share: Part of the weight that every fault has whatever its score. 0.05 finds
            failures fastest, 0.3 holds the widest scores in check.
        power: Exponent of the scores; 1 to estimate, 8 to find failures by a sensitivity.
    """

    n: int
    scores: Scores
    seed: int = 0
    uniform_share: float = 0.1
    power: float = 1.0
    kind: str = field(default="importance", init=False)
    design: str = field(default="priority", init=False, repr=False)
    _drawn: dict[FaultSpace, PriorityOrder] = field(
        default_factory=dict, init=False, repr=False, compare=False
    )

    def __post_init__(self) -> None:
        check_seed(self.seed)
        check_count("n", self.n)
        self.mixture  # noqa: B018  # refuses what it can't be

    @property
    def mixture(self) -> Mixture:
        """How scores become weights."""
        return Mixture(uniform_share=self.uniform_share, power=self.power)

    def size(self, space: FaultSpace) -> int:
        """Scenarios.

        Raises:
            ConfigError: More than the space has faults.
        """
        return check_fits(self.n, space)

    def order(self, space: FaultSpace) -> PriorityOrder:
        """The faults in order, with weights and keys; found once for a space."""
        if space not in self._drawn:
            self._drawn.clear()
            self._drawn[space] = priority_order(
                space, self.scores, self.mixture, n=self.size(space), seed=self.seed
            )
        return self._drawn[space]

    def next_key(self, space: FaultSpace) -> float:
        """Priority of the first fault that is not drawn; 0 if all are."""
        return self.order(space).next_key

    def scenario(self, space: FaultSpace, k: int) -> Scenario:
        """Scenario k."""
        (scenario,) = self.scenarios(space, [k])
        return scenario

    def scenarios(self, space: FaultSpace, numbers: Sequence[int]) -> list[Scenario]:
        """Many scenarios, each what :meth:`scenario` gives for its number."""
        size = self.size(space)
        wanted = check_numbers(numbers, size)
        order = self.order(space)
        groups = space.single_groups(order.numbers[wanted])
        columns = zip(
            numbers, groups, order.weight[wanted].tolist(), order.key[wanted].tolist(), strict=True
        )
        return [
            Scenario(number=k, groups=each, weight=weight, key=key)
            for k, each, weight, key in columns
        ]

    def fault_numbers(self, space: FaultSpace, start: int, stop: int) -> NDArray[np.int64]:
        """Fault numbers of scenarios ``start`` to ``stop``."""
        return self.order(space).numbers[start:stop]

    def population(self, space: FaultSpace) -> None:
        """None: faults are not equally likely."""
        del space

    def recipe(self) -> dict[str, object]:
        """JSON form; the scores are named by their hash, since they don't follow from it."""
        return {
            "kind": self.kind,
            "n": self.n,
            "seed": self.seed,
            "uniform_share": self.uniform_share,
            "power": self.power,
            "scores_sha256": self.scores.digest,
        }
