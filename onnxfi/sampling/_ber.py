"""Bit-error-rate sampling: every fault of the space independently present."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, Any, ClassVar

from msgspec import Meta

from onnxfi.errors import ConfigError
from onnxfi.sampling._sampler import (
    EQUAL,
    Seed,
    Size,
    check_count,
    check_listed,
    check_number,
    check_seed,
)

if TYPE_CHECKING:
    from onnxfi.faults import FaultSpace, Scenario


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

    name: ClassVar[str] = "ber"
    help: ClassVar[str] = "each bit on its own with probability --ber"
    design: ClassVar[str] = EQUAL

    # A rate of 0 is a control in Python; asked for on the command line it is a slip.
    ber: Annotated[
        float,
        Meta(description="Bit-error rate.", ge=0, le=1, extra={"implies": True, "above": True}),
    ]
    n: Annotated[Size, Meta(extra={"usual": 100})]
    seed: Seed = 0
    per_sample: Annotated[
        bool,
        Meta(
            description="Redraw the bit errors of activations and inputs for every sample.",
            extra={"flag": "--ber-per-sample", "always": True},
        ),
    ] = False
    samples: (
        Annotated[int, Meta(description="Samples of the workload.", ge=1, extra={"cli": False})]
        | None
    ) = None

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
        check_listed(self.name, space, "use the uniform sampler with several faults per scenario")
        return self.n

    def scenario(self, space: FaultSpace, k: int) -> Scenario:
        """Scenario k."""
        from onnxfi.faults import Scenario
        from onnxfi.sampling._bit_errors import bernoulli_positions, bit_errors_per_sample
        from onnxfi.sampling._random import Stream, generator

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
        recipe: dict[str, Any] = {"kind": self.name, "seed": self.seed, "n": self.n}
        recipe |= {"ber": self.ber, "per_sample": self.per_sample}
        return recipe if self.samples is None else recipe | {"samples": self.samples}
