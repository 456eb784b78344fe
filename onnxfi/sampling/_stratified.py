"""Stratified sampling: a fixed part of the scenarios for each site, layer, bit or field."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Annotated, Any, ClassVar

from msgspec import Meta

from onnxfi.errors import ConfigError
from onnxfi.sampling._sampler import (
    Seed,
    Size,
    check_count,
    check_fits,
    check_listed,
    check_numbers,
    check_seed,
    single_scenarios,
)

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from onnxfi.faults import FaultSpace, Scenario
    from onnxfi.sampling._allotment import Allotment


@dataclass(frozen=True, slots=True, kw_only=True)
class StratifiedSampler:
    """Single faults, without replacement within strata, strata in turns.

    Any prefix has about the same parts, and within each stratum it is a simple random sample: rates
    are estimated stratum by stratum and weighted by the strata's sizes.

    Attributes:
        n: Scenarios.
        by: What faults of one stratum have in common, see :func:`strata`.
        seed: 0..2^64 - 1.
        rates: Failure rates expected by stratum, from a pilot: scenarios are then allotted as
            N_h sqrt(p_h (1 - p_h)) (Neyman, J. R. Stat. Soc. 1934), else by the strata's sizes.
        least: Scenarios that every stratum gets at least, as far as it has so many faults.
    """

    name: ClassVar[str] = "stratified"
    help: ClassVar[str] = "a fixed part for each of --strata"
    design: ClassVar[str] = "stratified"

    n: Size
    by: Annotated[
        Sequence[str],
        Meta(
            description="What single faults of one stratum share: site, layer, op_type, kind, bit, "
            "field, step, or several, such as layer,bit.",
            extra={
                "flag": "--strata",
                "metavar": "FACETS",
                "reads": "names",
                "implies": True,
                "always": True,
            },
        ),
    ] = ("site",)
    seed: Seed = 0
    rates: (
        Annotated[
            Mapping[str, float],
            Meta(
                description="Allot scenarios to strata by their failure rates in this earlier "
                "campaign of the same model and faults, more where these are uncertain.",
                extra={
                    "flag": "--pilot",
                    "key": "pilot",
                    "metavar": "DIR",
                    "path": "folder",
                    "implies": True,
                },
            ),
        ]
        | None
    ) = None
    least: Annotated[
        int,
        Meta(description="Scenarios that every stratum gets at least.", ge=0, extra={"cli": False}),
    ] = 1
    _allotted: dict[FaultSpace, Allotment] = field(
        default_factory=dict, init=False, repr=False, compare=False
    )

    def __post_init__(self) -> None:
        check_seed(self.seed)
        check_count("n", self.n)
        object.__setattr__(self, "by", tuple(self.by))
        if self.least < 0:
            raise ConfigError(f"least is {self.least}, expected a number from 0 up")
        for key, rate in (self.rates or {}).items():
            if not 0 <= rate <= 1:
                raise ConfigError(f"the rate of stratum {key!r} is {rate}, expected 0 to 1")

    def size(self, space: FaultSpace) -> int:
        """Scenarios.

        Raises:
            ConfigError: More than the space has faults, or too few for all strata.
        """
        check_listed(self.name, space)
        return check_fits(self.n, space)

    def allotted(self, space: FaultSpace) -> Allotment:
        """Which scenario falls to which stratum; found once for a space."""
        from onnxfi.sampling._allotment import allotment
        from onnxfi.sampling._strata import strata

        if space not in self._allotted:
            self._allotted.clear()
            found = strata(space, self.by)
            self._allotted[space] = allotment(found, self.size(space), self.rates, self.least)
        return self._allotted[space]

    def header_fields(self, space: FaultSpace, *, written: bool) -> Mapping[str, Any]:
        """Faults of each stratum, of a list that is written out."""
        if not written:
            return {}
        return {"strata": {each.key: each.size for each in self.allotted(space).strata}}

    def scenario(self, space: FaultSpace, k: int) -> Scenario:
        """Scenario k."""
        (scenario,) = self.scenarios(space, [k])
        return scenario

    def scenarios(self, space: FaultSpace, numbers: Sequence[int]) -> list[Scenario]:
        """Many scenarios, each what :meth:`scenario` gives for its number."""
        wanted = check_numbers(numbers, self.size(space))
        return single_scenarios(space, numbers, self._faults(space, wanted))

    def fault_numbers(self, space: FaultSpace, start: int, stop: int) -> NDArray[np.int64]:
        """Fault numbers of scenarios ``start`` to ``stop``."""
        import numpy as np

        return self._faults(space, np.arange(start, stop))

    def population(self, space: FaultSpace) -> None:
        """None: faults of different strata are not equally likely."""
        del space

    def recipe(self) -> dict[str, object]:
        """JSON form."""
        recipe: dict[str, object] = {
            "kind": self.name,
            "n": self.n,
            "by": list(self.by),
            "seed": self.seed,
            "least": self.least,
        }
        return recipe if self.rates is None else recipe | {"rates": dict(self.rates)}

    def _faults(self, space: FaultSpace, wanted: NDArray[np.int64]) -> NDArray[np.int64]:
        import numpy as np

        from onnxfi.sampling._permutation import permutation
        from onnxfi.sampling._random import Stream

        found = np.empty(len(wanted), np.int64)
        allotted = self.allotted(space)
        codes, rank = allotted.codes[wanted], allotted.rank[wanted]
        for which in np.unique(codes).tolist():
            mine = codes == which
            stratum = allotted.strata[which]
            order = permutation(stratum.size, self.seed, Stream.STRATUM, which)
            found[mine] = stratum.numbers(order.many(rank[mine]))
        return found
