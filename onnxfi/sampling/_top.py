"""Top-k sampling: the faults with the highest scores, to find failures and nothing else."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from onnxfi.errors import ConfigError
from onnxfi.faults import FaultSpace, Scenario
from onnxfi.sampling._best import Best, Rows
from onnxfi.sampling._random import Stream, check_seed, uniforms
from onnxfi.sampling._sampler import check_count, check_fits, check_numbers
from onnxfi.sampling._scores import Scores, scored


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

    n: int
    scores: Scores
    seed: int = 0
    kind: str = field(default="top", init=False)
    design: str = field(default="top", init=False, repr=False)
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
        if space not in self._drawn:
            self._drawn.clear()
            self._drawn[space] = top_order(space, self.scores, n=self.size(space), seed=self.seed)
        return self._drawn[space]

    def next_key(self, space: FaultSpace) -> None:
        """None: nothing follows from the score of the fault that comes next."""
        del space

    def scenario(self, space: FaultSpace, k: int) -> Scenario:
        """Scenario k; its key is its score."""
        (scenario,) = self.scenarios(space, [k])
        return scenario

    def scenarios(self, space: FaultSpace, numbers: Sequence[int]) -> list[Scenario]:
        """Many scenarios, each what :meth:`scenario` gives for its number."""
        size = self.size(space)
        wanted = check_numbers(numbers, size)
        order = self.order(space)
        groups = space.single_groups(order.numbers[wanted])
        columns = zip(numbers, groups, order.key[wanted].tolist(), strict=True)
        return [Scenario(number=k, groups=each, key=key) for k, each, key in columns]

    def fault_numbers(self, space: FaultSpace, start: int, stop: int) -> NDArray[np.int64]:
        """Fault numbers of scenarios ``start`` to ``stop``."""
        return self.order(space).numbers[start:stop]

    def population(self, space: FaultSpace) -> None:
        """None: faults are not drawn."""
        del space

    def recipe(self) -> dict[str, object]:
        """JSON form; the scores are named by their hash, since they don't follow from it."""
        return {
            "kind": self.kind,
            "n": self.n,
            "seed": self.seed,
            "scores_sha256": self.scores.digest,
        }


def top_order(space: FaultSpace, scores: Scores, *, n: int, seed: int) -> Rows:
    """The first ``n`` faults by falling score, ties by a hash of seed and fault number.

    Takes one pass over the space and memory for ``n`` faults.

    Raises:
        ConfigError: A fault model is random, or there are no scores for a site.
    """
    if not space.enumerable:
        models = ", ".join(model.spec() for model in space.models if not model.enumerable)
        raise ConfigError(f"sampler top needs faults that can be listed, {models} is random")
    best = Best(n)
    for start, values in scored(space, scores):
        numbers = np.arange(start, start + len(values))

        def tie(kept: NDArray[np.int64], start: int = start) -> NDArray[np.float64]:
            return uniforms(seed, Stream.TIE, kept + start)

        best.add(numbers, values, tie)
    return best.sorted()
