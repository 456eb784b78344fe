"""Faults in single steps of a sequence: inputs of a port that carry them in these steps only."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from typing import Any

from numpy.typing import NDArray

from onnxfi.engine.engines.ports._inputs import ArmedInputs, Inputs
from onnxfi.engine.runtime import DeviceTensor, Feed, StepFeed, Stepped
from onnxfi.faults import FaultGroup, FaultSite, Scenario, joined
from onnxfi.inject import BatchWindow, by_tensor


def whole_sites(sites: Sequence[FaultSite]) -> tuple[FaultSite, ...]:
    """The tensors of some sites, each once: a port takes the faults of every step."""
    return tuple(steps[0].whole() for steps in by_tensor(sites).values())


class SteppedInputs:
    """The extra inputs of an instrumented model that runs over sequences.

    Args:
        inner: The same for single runs; knows tensors by their names without steps.
        sites: The campaign's sites, by name.
    """

    def __init__(self, inner: Inputs, sites: Mapping[str, FaultSite]) -> None:
        self._inner = inner
        self._sites = sites
        self.disarmed = inner.disarmed

    def arm(self, scenario: Scenario) -> _SteppedArms:
        """Get a scenario ready to run. Errors as :meth:`Inputs.arm`."""
        whole = [group for group in scenario.groups if self._step(group) is None]
        steps = dict.fromkeys(self._step(group) for group in scenario.groups)
        arms = {
            step: self._inner.arm(replace(scenario, groups=self._in_step(scenario, step)))
            for step in steps
            if step is not None
        }
        usual = self._inner.arm(replace(scenario, groups=tuple(whole)))
        return _SteppedArms(usual, arms, self.disarmed)

    def _step(self, group: FaultGroup) -> int | None:
        site = self._sites[group.site]
        return site.step if site.repeated else None

    def _in_step(self, scenario: Scenario, step: int) -> tuple[FaultGroup, ...]:
        """All faults that a step has in the tensors that differ from the others in it."""
        tensors = {
            self._sites[group.site].tensor for group in scenario.groups if self._step(group) == step
        }
        here: dict[str, list[FaultGroup]] = {}
        for group in scenario.groups:
            tensor = self._sites[group.site].tensor
            if tensor in tensors and self._step(group) in (None, step):
                here.setdefault(tensor, []).append(replace(group, site=tensor))
        return tuple(joined(groups) for groups in here.values())


class _SteppedArms:
    """A scenario: its faults of every step, and what single steps have in their place."""

    def __init__(
        self, usual: ArmedInputs, steps: Mapping[int, ArmedInputs], disarmed: Mapping[str, Feed]
    ) -> None:
        self._usual = usual
        self._steps = steps
        self._disarmed = disarmed

    @contextmanager
    def fed(self, window: BatchWindow) -> Iterator[Mapping[str, StepFeed]]:
        """All extra inputs of a run; they hold the faults inside the ``with`` block."""
        with ExitStack() as stack:
            usual = stack.enter_context(self._usual.fed(window))
            special: dict[str, dict[int, NDArray[Any]]] = {}
            for step, arms in self._steps.items():
                for name, values in stack.enter_context(arms.fed(window)).items():
                    if values is not self._disarmed[name]:
                        special.setdefault(name, {})[step] = _on_host(values)
            stepped = {
                name: Stepped(usual=_on_host(usual[name]), special=steps)
                for name, steps in special.items()
            }
            yield {**usual, **stepped}


def _on_host(values: StepFeed) -> NDArray[Any]:
    """Indices and masks of ports are fed by the host."""
    assert not isinstance(values, DeviceTensor | Stepped)
    return values
