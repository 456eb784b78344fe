"""Bit-error-rate sampling: every fault of the space independently present."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from onnxfi.errors import ConfigError
from onnxfi.faults import FaultSpace, Scenario
from onnxfi.sampling._bernoulli import bernoulli_positions
from onnxfi.sampling._per_sample import bit_errors_per_sample
from onnxfi.sampling._random import Stream, check_seed, generator
from onnxfi.sampling._sampler import check_count, check_number


@dataclass(frozen=True, slots=True, kw_only=True)
class BitErrorRateSampler:
    """Each scenario holds every fault of the space independently with probability ``ber``.

    With the bit-flip model, whose faults are the bits of the chosen sites, this is the bit-error
    rate. The number of faults is exactly binomial and no bit is hit twice.

    Attributes:
        ber: Probability of each bit, 0..1.
        n: Scenarios.
        seed: 0..2^64 - 1.
        per_sample: Redraw the masks of computed tensors for every sample of the workload; stored
            tensors keep one mask a scenario, as memory does.
        samples: Samples of the workload, for ``per_sample``; None leaves it to the campaign, which
            knows its workload.
    """

    ber: float
    n: int
    seed: int = 0
    per_sample: bool = False
    samples: int | None = None
    kind: str = field(default="ber", init=False)

    def __post_init__(self) -> None:
        check_seed(self.seed)
        check_count("n", self.n)
        if not 0 <= self.ber <= 1:
            raise ConfigError(f"the bit-error rate must be from 0 to 1, got {self.ber}")
        if self.samples is not None:
            check_count("samples", self.samples)

    def size(self, space: FaultSpace) -> int:
        """Scenarios.

        Raises:
            ConfigError: A random fault model has no list of faults to go through.
        """
        if not space.enumerable:
            models = ", ".join(model.spec() for model in space.models if not model.enumerable)
            raise ConfigError(
                f"the ber sampler needs faults that can be listed, fault model {models} is random; "
                "use the uniform sampler with several faults per scenario"
            )
        return self.n

    def scenario(self, space: FaultSpace, k: int) -> Scenario:
        """Scenario k."""
        check_number(k, self.size(space))
        if self.per_sample:
            if self.samples is None:
                raise ConfigError("a bit-error rate per sample needs the number of samples")
            groups = bit_errors_per_sample(space, self.ber, self.samples, self.seed, k)
            return Scenario(number=k, groups=groups)
        numbers = bernoulli_positions(space.size, self.ber, self.seed, Stream.BIT_ERRORS, k)
        rng = generator(self.seed, Stream.VALUES, k)
        return Scenario(number=k, groups=space.scenario_groups(numbers, rng))

    def recipe(self) -> dict[str, object]:
        """JSON form."""
        recipe: dict[str, Any] = {"kind": self.kind, "seed": self.seed, "n": self.n}
        recipe |= {"ber": self.ber, "per_sample": self.per_sample}
        return recipe if self.samples is None else recipe | {"samples": self.samples}
