"""Uniform sampling: every fault equally likely, none drawn twice."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from statistics import NormalDist
from typing import TYPE_CHECKING, Annotated, Any, ClassVar

from msgspec import Meta

from onnxfi.errors import ConfigError
from onnxfi.sampling._sampler import (
    EQUAL,
    Seed,
    Size,
    check_count,
    check_fits,
    check_number,
    check_numbers,
    check_seed,
    single_scenarios,
)

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from onnxfi.faults import FaultSpace, Scenario


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

    name: ClassVar[str] = "uniform"
    help: ClassVar[str] = "the default; distinct scenarios, all equally likely"
    design: ClassVar[str] = EQUAL

    n: Size | None = None
    seed: Seed = 0
    faults_per_scenario: Annotated[
        int,
        Meta(
            description="Faults present together in one uniform scenario.",
            ge=1,
            extra={"metavar": "K", "always": True},
        ),
    ] = 1
    margin: (
        Annotated[
            float,
            Meta(
                description="Draw as many as it takes for an interval of this half-width.",
                gt=0,
                lt=1,
                extra={"flag": "--plan-margin", "metavar": "E"},
            ),
        ]
        | None
    ) = None
    confidence: Annotated[
        float, Meta(description="Level of the interval planned for.", gt=0, lt=1)
    ] = 0.95

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
        import numpy as np

        from onnxfi.faults import Scenario
        from onnxfi.sampling._permutation import permutation
        from onnxfi.sampling._random import Stream, generator

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
        from onnxfi.sampling._permutation import permutation
        from onnxfi.sampling._random import Stream

        if self.population(space) is None:
            return [self.scenario(space, k) for k in numbers]
        positions = check_numbers(numbers, self.size(space))
        # Without replacement there is only one turn.
        faults = permutation(space.size, self.seed, Stream.ORDER).many(positions)
        return single_scenarios(space, numbers, faults)

    def fault_numbers(self, space: FaultSpace, start: int, stop: int) -> NDArray[np.int64] | None:
        """Fault numbers of scenarios ``start`` to ``stop``; None if they have several faults."""
        return self._single(space, start, stop) if self.faults_per_scenario == 1 else None

    def population(self, space: FaultSpace) -> int | None:
        """Size of the space for single faults of enumerable models, else None."""
        return space.size if space.enumerable and self.faults_per_scenario == 1 else None

    def recipe(self) -> dict[str, object]:
        """JSON form."""
        recipe: dict[str, Any] = {"kind": self.name, "seed": self.seed}
        if self.n is not None:
            recipe["n"] = self.n
        else:
            recipe |= {"margin": self.margin, "confidence": self.confidence}
        return recipe | {"faults_per_scenario": self.faults_per_scenario}

    def _single(self, space: FaultSpace, start: int, stop: int) -> NDArray[np.int64]:
        import numpy as np

        from onnxfi.sampling._permutation import permutation
        from onnxfi.sampling._random import Stream

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


def sample_size(
    population: int | None, margin: float, confidence: float = 0.95, p: float = 0.5
) -> int:
    """Scenarios to draw, without replacement, for an interval of half-width ``margin``.

    n = N / (1 + e^2 (N - 1) / (t^2 p (1 - p))), rounded up (Leveugle et al., DATE 2009).

    Args:
        population: Scenarios in all (N), None for no limit.
        margin: Half-width e of the interval of a rate, absolute, 0..1.
        confidence: Level of the interval, 0..1.
        p: Rate expected; 0.5 is safe for every rate.

    Raises:
        ConfigError: A value is out of range.
    """
    for name, value in (("margin", margin), ("confidence", confidence), ("p", p)):
        if not 0 < value < 1:
            raise ConfigError(f"{name} must be above 0 and below 1, got {value}")
    t = NormalDist().inv_cdf(0.5 + confidence / 2)
    unlimited = t * t * p * (1 - p) / (margin * margin)
    if population is None:
        return math.ceil(unlimited)
    if population < 1:
        raise ConfigError(f"a population has at least 1 scenario, got {population}")
    return min(population, math.ceil(population / (1 + (population - 1) / unlimited)))
