"""Top-k sampling: the faults with the highest scores, to find failures and nothing else."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Annotated, ClassVar

from msgspec import Meta

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
    from onnxfi.sampling._orders import Rows


@dataclass(frozen=True, slots=True, kw_only=True)
class TopSampler:
    """The faults with the highest scores, by falling score.

    A search: which faults are run depends on nothing but their scores, so no rate of the fault
    space can be had from what becomes of them. A longer list begins as a shorter one. What
    :class:`ImportanceSampler` finds is a little less, and gives a rate.

    Attributes:
        n: Scenarios.
        scores: How likely each fault is to fail.
        seed: Of the order of faults with equal scores, 0..2^64 - 1.
    """

    name: ClassVar[str] = "top"
    help: ClassVar[str] = "the highest --scores only: finds failures, gives no rate"
    design: ClassVar[str] = "top"

    n: Annotated[Size, Meta(extra={"usual": 100})]
    scores: Annotated[
        Scores,
        Meta(
            description="How likely faults are to fail: a .npz with an array a site, a number for "
            "each element, or for each bit of each element.",
            extra={"path": "file"},
        ),
    ]
    seed: Seed = 0
    _drawn: dict[FaultSpace, Rows] = field(
        default_factory=dict, init=False, repr=False, compare=False
    )

    def __post_init__(self) -> None:
        check_seed(self.seed)
        check_count("n", self.n)

    def size(self, space: FaultSpace) -> int:
        """Scenarios.

        Raises:
            ConfigError: More than the space has faults.
        """
        return check_fits(self.n, space)

    def order(self, space: FaultSpace) -> Rows:
        """The faults in order, their scores as keys; found once for a space."""
        from onnxfi.sampling._orders import top_order

        if space not in self._drawn:
            self._drawn.clear()
            self._drawn[space] = top_order(space, self.scores, n=self.size(space), seed=self.seed)
        return self._drawn[space]

    def scenario(self, space: FaultSpace, k: int) -> Scenario:
        """Scenario k; its key is its score."""
        (scenario,) = self.scenarios(space, [k])
        return scenario

    def scenarios(self, space: FaultSpace, numbers: Sequence[int]) -> list[Scenario]:
        """Many scenarios, each what :meth:`scenario` gives for its number."""
        wanted = check_numbers(numbers, self.size(space))
        order = self.order(space)
        return single_scenarios(space, numbers, order.numbers[wanted], key=order.key[wanted])

    def fault_numbers(self, space: FaultSpace, start: int, stop: int) -> NDArray[np.int64]:
        """Fault numbers of scenarios ``start`` to ``stop``."""
        return self.order(space).numbers[start:stop]

    def population(self, space: FaultSpace) -> None:
        """None: faults are not drawn."""
        del space

    def recipe(self) -> dict[str, object]:
        """JSON form; the scores are named by their hash, since they don't follow from it."""
        return {
            "kind": self.name,
            "n": self.n,
            "seed": self.seed,
            "scores_sha256": self.scores.digest,
        }
