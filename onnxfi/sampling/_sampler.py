"""What a sampler is: the protocol, and what all samplers share."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Annotated, Any, ClassVar, Protocol, TypeAlias, runtime_checkable

from msgspec import Meta

from onnxfi.errors import ConfigError

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from onnxfi.faults import Columns, FaultSite, FaultSpace, Scenario

_LARGEST_SEED = 2**64 - 1

#: The design of samplers whose scenarios are all equally likely.
EQUAL = "equal"

Seed: TypeAlias = Annotated[int, Meta(description="Of all draws.", ge=0)]
Size: TypeAlias = Annotated[int, Meta(description="How many scenarios to draw.", ge=1)]


@runtime_checkable
class Sampler(Protocol):
    """Chooses scenarios from a fault space; scenario k depends on seed, space and k only.

    A sampler that is to be found by name, on the command line and in files, is registered
    (:data:`SAMPLERS`), has a text ``help``, and declares its options as annotated fields.

    Attributes:
        name: Its name, as recipes have it under ``kind``.
        design: How rates follow from its scenarios: the name of a sampling design. ``equal``: all
            that exist are equally likely. ``priority`` and ``stratified``: as importance and
            stratified sampling draw. ``top``: scenarios are picked, so that shares are of the
            scenarios run and no rate follows. Others are registered as ``onnxfi.analysis.DESIGNS``.
    """

    name: ClassVar[str]
    design: ClassVar[str]

    def size(self, space: FaultSpace) -> int:
        """Number of scenarios."""
        ...

    def scenario(self, space: FaultSpace, k: int) -> Scenario:
        """Scenario k, without any of the others."""
        ...

    def recipe(self) -> dict[str, object]:
        """Everything that decides the draws, as JSON values; `from_recipe` is the inverse."""
        ...


@runtime_checkable
class SingleFaultSampler(Sampler, Protocol):
    """A sampler that can draw single-fault scenarios, and says which fault numbers they are."""

    def fault_numbers(self, space: FaultSpace, start: int, stop: int) -> NDArray[np.int64] | None:
        """Fault numbers of scenarios ``start`` to ``stop``; None if they have several faults."""
        ...

    def population(self, space: FaultSpace) -> int | None:
        """Scenarios that exist, if drawn without replacement and equally likely; else None."""
        ...


@runtime_checkable
class HeaderedSampler(Sampler, Protocol):
    """A sampler whose design needs more than its recipe in the header of a fault list."""

    def header_fields(self, space: FaultSpace, *, written: bool) -> Mapping[str, Any]:
        """Fields of the header.

        Args:
            space: What can be hit.
            written: Whether the scenarios are written out, or the list is a recipe only.
        """
        ...


@runtime_checkable
class BulkSampler(Sampler, Protocol):
    """A sampler that draws many scenarios faster together than one by one."""

    def scenarios(self, space: FaultSpace, numbers: Sequence[int]) -> list[Scenario]:
        """The scenarios of these numbers, each what :meth:`Sampler.scenario` gives for it."""
        ...


@runtime_checkable
class Scores(Protocol):
    """A number from 0 up for every fault; the higher, the likelier the fault is to fail."""

    @property
    def digest(self) -> str:
        """Hash of everything that decides the numbers, hex."""
        ...

    def of(self, site: FaultSite, columns: Columns, count: int) -> NDArray[np.float64]:
        """Scores of faults on one site.

        Args:
            site: The site.
            columns: The faults; rows of one owner are one fault.
            count: How many faults there are.

        Returns:
            float64 (count,), finite and not negative.

        Raises:
            ConfigError: There are no scores for this site, or for such faults.
        """
        ...


def check_seed(seed: int) -> int:
    """The seed, if it can be one.

    Raises:
        ConfigError: It is not an integer in 0..2^64 - 1.
    """
    if isinstance(seed, bool) or not isinstance(seed, int) or not 0 <= seed <= _LARGEST_SEED:
        raise ConfigError(f"a seed is an integer from 0 to 2^64 - 1, got {seed!r}")
    return seed


def check_count(name: str, value: int) -> int:
    """The value, if it is a positive integer.

    Raises:
        ConfigError: It is not.
    """
    if isinstance(value, bool) or not isinstance(value, int) or value < 1:
        raise ConfigError(f"{name} must be a positive integer, got {value!r}")
    return value


def check_fits(n: int, space: FaultSpace, remedy: str = "lower n") -> int:
    """The number of scenarios, if a space has as many faults.

    Raises:
        ConfigError: It has not.
    """
    if n > space.size:
        raise ConfigError(
            f"n = {n} scenarios are more than the {space.size} faults of the fault space; {remedy}"
        )
    return n


def check_listed(name: str, space: FaultSpace, remedy: str = "use the uniform sampler") -> None:
    """Refuse a space whose faults can't be listed.

    Raises:
        ConfigError: A fault model is random.
    """
    if not space.enumerable:
        models = ", ".join(model.spec() for model in space.models if not model.enumerable)
        raise ConfigError(
            f"the {name} sampler needs faults that can be listed, fault model {models} is random;"
            f" {remedy}"
        )


def check_number(k: int, size: int) -> int:
    """The scenario number, if there is such a scenario.

    Raises:
        ConfigError: There is not.
    """
    if not 0 <= k < size:
        raise ConfigError(f"no scenario {k}: the fault list has {size} (0..{size - 1})")
    return k


def check_numbers(numbers: Sequence[int], size: int) -> NDArray[np.int64]:
    """Scenario numbers as int64 (n,), if there are such scenarios.

    Raises:
        ConfigError: There is one that is not.
    """
    import numpy as np

    return np.array([check_number(k, size) for k in numbers], np.int64)


def single_scenarios(
    space: FaultSpace,
    numbers: Sequence[int],
    faults: NDArray[np.int64],
    *,
    weight: NDArray[np.float64] | None = None,
    key: NDArray[np.float64] | None = None,
) -> list[Scenario]:
    """Scenarios of one fault each.

    Args:
        space: What can be hit.
        numbers: Numbers of the scenarios (n).
        faults: int64 (n,), fault numbers.
        weight: float64 (n,), design weights; None where there are none.
        key: float64 (n,), priorities; likewise.
    """
    from onnxfi.faults import Scenario

    nothing = [None] * len(numbers)
    weights = nothing if weight is None else weight.tolist()
    keys = nothing if key is None else key.tolist()
    columns = zip(numbers, space.single_groups(faults), weights, keys, strict=True)
    return [Scenario(number=k, groups=each, weight=w, key=key) for k, each, w, key in columns]
