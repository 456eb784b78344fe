"""By what the scenarios of a block are sorted, so that those of one site run next to each other."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np

from onnxfi.sampling import ListedScenarios, SampledScenarios, ScenarioSource

Homes = Callable[[Sequence[int]], "Sequence[int | tuple[str, ...]]"]


def homes_of(source: ScenarioSource) -> Homes | None:
    """Gives the sites of scenarios as something sortable; None where it costs too much.

    A scenario of thousands of drawn faults touches every site, and drawing it only to sort it
    would double the work.
    """
    if isinstance(source, ListedScenarios):
        return lambda numbers: [source.scenario(k).sites for k in numbers]
    if not isinstance(source, SampledScenarios) or source.fault_numbers(0, 1) is None:
        return None

    def homes(numbers: Sequence[int]) -> Sequence[int]:
        first = min(numbers)
        faults = source.fault_numbers(first, max(numbers) + 1)
        assert faults is not None
        return [int(home) for home in source.space.homes(faults[np.array(numbers) - first])]

    return homes
