"""Uniform sampling: every fault equally likely, none drawn twice."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from onnxfi.errors import ConfigError
from onnxfi.faults import FaultSpace, Scenario
from onnxfi.sampling._permutation import permutation
from onnxfi.sampling._random import Stream, check_seed, generator
from onnxfi.sampling._sampler import check_count, check_fits, check_number, check_numbers
from onnxfi.sampling._size import sample_size


@dataclass(frozen=True, slots=True, kw_only=True)
class UniformSampler:
    """Faults in a keyed random order of the whole space, without replacement.

    Every prefix is a simple random sample and the whole order is a census; memory does not grow
    with the space. A space with a random fault model is passed through again in a new order when
    it is exhausted, since a number there stands for many faults. With several faults a scenario,
    each scenario is a set of distinct faults drawn independently of the others.

    Attributes:
        n: Scenarios; None to have them follow from ``margin``.
        seed: 0..2^64 - 1.
        faults_per_scenario: Distinct faults present together.
        margin: Half-width of the interval to plan for, 0..1, in place of ``n``.
        confidence: Level of that interval.
    """

    n: int | None = None
    seed: int = 0
    faults_per_scenario: int = 1
    margin: float | None = None
    confidence: float = 0.95
    kind: str = field(default="uniform", init=False)

    def __post_init__(self) -> None:
        check_seed(self.seed)
        check_count("faults per scenario", self.faults_per_scenario)
        if (self.n is None) == (self.margin is None):
            raise ConfigError("uniform sampling needs either n or a margin to plan for")
        if self.n is not None:
            check_count("n", self.n)
        elif self.margin is not None:
            sample_size(None, self.margin, self.confidence)

    def size(self, space: FaultSpace) -> int:
        """Scenarios: ``n``, or as many as the margin needs.

        Raises:
            ConfigError: More are asked for than exist.
        """
        if self.faults_per_scenario > space.size:
            raise ConfigError(
                f"{self.faults_per_scenario} faults per scenario are more than the "
                f"{space.size} of the fault space"
            )
        population = self.population(space)
        if self.margin is not None:
            return sample_size(population, self.margin, self.confidence)
        n = self.n or 0
        if population is None:
            return n
        return check_fits(n, space, "lower n, or use the exhaustive sampler")

    def scenario(self, space: FaultSpace, k: int) -> Scenario:
        """Scenario k."""
        check_number(k, self.size(space))
        if self.faults_per_scenario > 1:
            order = permutation(space.size, self.seed, Stream.SUBSET, k)
            numbers = order.many(np.arange(self.faults_per_scenario))
        else:
            numbers = self._single(space, k, k + 1)
        rng = generator(self.seed, Stream.VALUES, k)
        return Scenario(number=k, groups=space.scenario_groups(numbers, rng))

    def scenarios(self, space: FaultSpace, numbers: Sequence[int]) -> list[Scenario]:
        """Many scenarios, each what :meth:`scenario` gives for its number."""
        if self.population(space) is None:
            return [self.scenario(space, k) for k in numbers]
        size = self.size(space)
        positions = check_numbers(numbers, size)
        # Without replacement there is only one turn.
        faults = permutation(space.size, self.seed, Stream.ORDER).many(positions)
        groups = space.single_groups(faults)
        return [Scenario(number=k, groups=each) for k, each in zip(numbers, groups, strict=True)]

    def fault_numbers(self, space: FaultSpace, start: int, stop: int) -> NDArray[np.int64] | None:
        """Fault numbers of scenarios ``start`` to ``stop``; None if they have several faults."""
        return self._single(space, start, stop) if self.faults_per_scenario == 1 else None

    def population(self, space: FaultSpace) -> int | None:
        """Size of the space for single faults of enumerable models, else None."""
        return space.size if space.enumerable and self.faults_per_scenario == 1 else None

    def recipe(self) -> dict[str, object]:
        """JSON form."""
        recipe: dict[str, Any] = {"kind": self.kind, "seed": self.seed}
        if self.n is not None:
            recipe["n"] = self.n
        else:
            recipe |= {"margin": self.margin, "confidence": self.confidence}
        return recipe | {"faults_per_scenario": self.faults_per_scenario}

    def _single(self, space: FaultSpace, start: int, stop: int) -> NDArray[np.int64]:
        parts = []
        for turn in range(start // space.size, -(-stop // space.size)):
            order = permutation(space.size, self.seed, Stream.ORDER, turn)
            begin = turn * space.size
            first, last = max(start, begin) - begin, min(stop, begin + space.size) - begin
            if last - first == 1:
                parts.append(np.array([order.at(first)], np.int64))
            else:
                parts.append(order.many(np.arange(first, last)))
        return np.concatenate(parts) if parts else np.zeros(0, np.int64)
