"""What a sampler is: the protocol, and the checks that all samplers share."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol, runtime_checkable

import numpy as np
from numpy.typing import NDArray

from onnxfi.errors import ConfigError
from onnxfi.faults import FaultSpace, Scenario


@runtime_checkable
class Sampler(Protocol):
    """Chooses scenarios from a fault space; scenario k depends on seed, space and k only."""

    @property
    def kind(self) -> str:
        """Its name in recipes, such as ``uniform``."""
        ...

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
class DesignedSampler(Sampler, Protocol):
    """A sampler whose scenarios are not equally likely, by a design that estimates must know."""

    @property
    def design(self) -> str:
        """Name of the design, as headers of fault lists have it."""
        ...

    def next_key(self, space: FaultSpace) -> float | None:
        """Priority of the first scenario that is not drawn; None for designs without one."""
        ...


@runtime_checkable
class BulkSampler(Sampler, Protocol):
    """A sampler that draws many scenarios faster together than one by one."""

    def scenarios(self, space: FaultSpace, numbers: Sequence[int]) -> list[Scenario]:
        """The scenarios of these numbers, each what :meth:`Sampler.scenario` gives for it."""
        ...


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
    return np.array([check_number(k, size) for k in numbers], np.int64)
