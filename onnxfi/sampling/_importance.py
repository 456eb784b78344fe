"""Importance sampling: likely faults first, every fault once, and still an unbiased rate."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Annotated, Any, ClassVar

from msgspec import Meta

from onnxfi.errors import ConfigError
from onnxfi.sampling._sampler import (
    Scores,
    Seed,
    Size,
    check_count,
    check_fits,
    check_numbers,
    check_seed,
    single_scenarios,
)

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from onnxfi.faults import FaultSpace, Scenario
    from onnxfi.sampling._orders import PriorityOrder


@dataclass(frozen=True, slots=True, kw_only=True)
class Mixture:
    """How scores become sampling weights: w = (1 - e) s^a / sum(s^a) + e / N.

    Attributes:
        uniform_share: e, the part of the weight that every fault has whatever its score (a
            defensive mixture: no weight is below e / N), above 0 and at most 1.
        power: a, from 0 up; above 1 the order is sharper.
    """

    uniform_share: float = 0.1
    power: float = 1.0

    def __post_init__(self) -> None:
        if not 0 < self.uniform_share <= 1:
            raise ConfigError(
                f"the uniform share is {self.uniform_share}, expected above 0 and at most 1: faults"
                " without any weight could never be drawn"
            )
        if not 0 <= self.power < 100:
            raise ConfigError(f"the power of the scores is {self.power}, expected from 0 up")


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

    name: ClassVar[str] = "importance"
    help: ClassVar[str] = "likely failures first, by --scores"
    design: ClassVar[str] = "priority"

    n: Size
    scores: Annotated[
        Scores,
        Meta(
            description="How likely faults are to fail: a .npz with an array a site, a number for "
            "each element, or for each bit of each element.",
            extra={"path": "file", "implies": True},
        ),
    ]
    seed: Seed = 0
    uniform_share: Annotated[
        float,
        Meta(
            description="Part of an importance sample's weight that all faults share alike: 0.05 "
            "to find failures, 0.3 to trust scores less.",
            gt=0,
            le=1,
            extra={"metavar": "E"},
        ),
    ] = 0.1
    power: Annotated[
        float,
        Meta(
            description="Exponent of the scores: 1 to estimate rates, 8 to find failures.",
            ge=0,
            lt=100,
            extra={"metavar": "A"},
        ),
    ] = 1.0
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
        from onnxfi.sampling._orders import priority_order

        if space not in self._drawn:
            self._drawn.clear()
            self._drawn[space] = priority_order(
                space, self.scores, self.mixture, n=self.size(space), seed=self.seed
            )
        return self._drawn[space]

    def header_fields(self, space: FaultSpace, *, written: bool) -> Mapping[str, Any]:
        """Priority of the first fault that is not drawn; 0 if all are."""
        del written
        return {"next_key": self.order(space).next_key}

    def scenario(self, space: FaultSpace, k: int) -> Scenario:
        """Scenario k."""
        (scenario,) = self.scenarios(space, [k])
        return scenario

    def scenarios(self, space: FaultSpace, numbers: Sequence[int]) -> list[Scenario]:
        """Many scenarios, each what :meth:`scenario` gives for its number."""
        wanted = check_numbers(numbers, self.size(space))
        order = self.order(space)
        return single_scenarios(
            space,
            numbers,
            order.numbers[wanted],
            weight=order.weight[wanted],
            key=order.key[wanted],
        )

    def fault_numbers(self, space: FaultSpace, start: int, stop: int) -> NDArray[np.int64]:
        """Fault numbers of scenarios ``start`` to ``stop``."""
        return self.order(space).numbers[start:stop]

    def population(self, space: FaultSpace) -> None:
        """None: faults are not equally likely."""
        del space

    def recipe(self) -> dict[str, object]:
        """JSON form; the scores are named by their hash, since they don't follow from it."""
        return {
            "kind": self.name,
            "n": self.n,
            "seed": self.seed,
            "uniform_share": self.uniform_share,
            "power": self.power,
            "scores_sha256": self.scores.digest,
        }
