"""Where a campaign's scenarios come from: drawn when needed, or listed."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from onnxfi.errors import ConfigError
from onnxfi.faults import FaultSpace, Scenario, graphs_of
from onnxfi.sampling._registry import SAMPLERS
from onnxfi.sampling._sampler import (
    EQUAL,
    BulkSampler,
    HeaderedSampler,
    Sampler,
    SingleFaultSampler,
    check_number,
)

_TOGETHER = 1_000  # scenarios drawn at once, all held until the last one is used


class ScenarioSource(Protocol):
    """An ordered set of scenarios with random access."""

    def __len__(self) -> int:
        """Number of scenarios."""
        ...

    def scenario(self, k: int) -> Scenario:
        """Scenario at position k; ConfigError if there is none."""
        ...

    def scenarios(self, numbers: Sequence[int]) -> Iterator[Scenario]:
        """The scenarios at many positions, faster than one by one; errors as :meth:`scenario`."""
        ...

    @property
    def population(self) -> int | None:
        """Scenarios that exist, if these are a simple random sample without replacement of them.

        None if they are drawn independently, or for a listed set of unknown design.
        """
        ...

    def fault_numbers(self, start: int, stop: int) -> NDArray[np.int64] | None:
        """Fault numbers of scenarios ``start`` to ``stop``, None unless each is a single fault."""
        ...


def check_sampler(given: object) -> Sampler:
    """What was given, if it is a sampler that says how rates follow from its scenarios.

    Raises:
        ConfigError: It lacks something.
    """
    if isinstance(given, Sampler) and not isinstance(given, type):
        return given
    needed = ("name", "design", "size", "scenario", "recipe")
    missing = [name for name in needed if not hasattr(given, name)]
    if isinstance(given, type) or len(missing) == len(needed):
        raise ConfigError(
            f"sampler is {given!r}; give a sampler, such as UniformSampler(n=1000, seed=0)"
        )
    raise ConfigError(
        f"sampler {type(given).__name__} lacks {', '.join(missing)}; name is the word that its"
        " recipe has under kind, design says how rates follow from its scenarios: 'equal' if all"
        " that exist are equally likely, 'top' if they are picked and no rate follows, or the name"
        " of a registered design"
    )


class SampledScenarios:
    """Scenarios of a sampler, made when asked for: a million of them cost no memory."""

    def __init__(self, space: FaultSpace, sampler: Sampler) -> None:
        """Join a space and a sampler.

        Args:
            space: What can be hit.
            sampler: What is chosen.

        Raises:
            ConfigError: The sampler can't draw from this space.
        """
        self.space = space
        self.sampler = check_sampler(sampler)
        self._size = sampler.size(space)

    def __len__(self) -> int:
        return self._size

    def __iter__(self) -> Iterator[Scenario]:
        return (self.scenario(k) for k in range(self._size))

    def scenario(self, k: int) -> Scenario:
        """Scenario k.

        Raises:
            ConfigError: There is none.
        """
        return self.sampler.scenario(self.space, check_number(k, self._size))

    def scenarios(self, numbers: Sequence[int]) -> Iterator[Scenario]:
        """Scenarios at many positions.

        Raises:
            ConfigError: There is no such position.
        """
        if not isinstance(self.sampler, BulkSampler):
            yield from map(self.scenario, numbers)
            return
        for start in range(0, len(numbers), _TOGETHER):
            yield from self.sampler.scenarios(self.space, numbers[start : start + _TOGETHER])

    @property
    def population(self) -> int | None:
        """Scenarios that exist, if drawn without replacement and equally likely; else None."""
        if isinstance(self.sampler, SingleFaultSampler):
            return self.sampler.population(self.space)
        return None

    def header_fields(self, *, written: bool = True) -> dict[str, Any]:
        """What a fault list of these scenarios says of how they were drawn.

        Args:
            written: Whether the scenarios are written out, or the list is a recipe only.
        """
        recipe = self.sampler.recipe()
        seed = recipe.get("seed")
        fields: dict[str, Any] = {
            "space": self.space.describe(),
            "sampler": recipe,
            "seed": seed if isinstance(seed, int) else None,
            "fault_graphs": graphs_of(self.space.models) or None,
        }
        # Of ours the name alone tells that they are drawn with equal chances.
        if self.sampler.design != EQUAL or self.sampler.name not in SAMPLERS.ours:
            fields["design"] = self.sampler.design
        if isinstance(self.sampler, HeaderedSampler):
            fields |= self.sampler.header_fields(self.space, written=written)
        return fields

    def fault_numbers(self, start: int, stop: int) -> NDArray[np.int64] | None:
        """Fault numbers of scenarios ``start`` to ``stop``, None unless each is a single fault."""
        if isinstance(self.sampler, SingleFaultSampler):
            return self.sampler.fault_numbers(self.space, start, min(stop, self._size))
        return None


class ListedScenarios:
    """Scenarios of a fault list, in its order."""

    def __init__(self, scenarios: Sequence[Scenario]) -> None:
        """Take the scenarios of a list.

        Args:
            scenarios: In list order; their own numbers are kept.
        """
        self._scenarios = tuple(scenarios)

    def __len__(self) -> int:
        return len(self._scenarios)

    def __iter__(self) -> Iterator[Scenario]:
        return iter(self._scenarios)

    def scenario(self, k: int) -> Scenario:
        """Scenario at position k.

        Raises:
            ConfigError: There is none.
        """
        return self._scenarios[check_number(k, len(self._scenarios))]

    def scenarios(self, numbers: Sequence[int]) -> Iterator[Scenario]:
        """Scenarios at many positions.

        Raises:
            ConfigError: There is no such position.
        """
        return map(self.scenario, numbers)

    @property
    def population(self) -> int | None:
        """None: how the list was drawn is not known."""
        return None

    def fault_numbers(self, start: int, stop: int) -> NDArray[np.int64] | None:
        """None: the list knows its faults by site and mask, not by number."""
        del start, stop
        return None
