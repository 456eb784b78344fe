"""Do tensors kept on the device give what the host's give, and are they flipped there?"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from compare_engines import context_of

# The parts themselves: the engine's public face takes the provider's own memory and says nothing.
from onnxfi.engine import EngineContext, EngineSettings
from onnxfi.engine.engines.ports import PortsEngine
from onnxfi.engine.runtime import DeviceMemory, device_memory, open_flipper
from onnxfi.faults import BitFlip, FaultSpace, Scenario, StuckAt
from onnxfi.graph import Model, load
from onnxfi.sampling import SampledScenarios, UniformSampler
from provider_checks.found import Check, Effort, attempt
from provider_checks.models import KINDS, output_bytes

#: Stands in for the device on the CPU, whose own memory is the host's.
_HERE = DeviceMemory(kind="cpu")


def place(model: Model, settings: EngineSettings) -> DeviceMemory | None:
    """The provider's memory; on the CPU a part of the host's that is treated like a device's."""
    on_cpu = settings.provider.lower().startswith("cpu")
    return _HERE if on_cpu else device_memory(model, settings)


def on_host(model: Model, settings: EngineSettings) -> None:
    """Nothing is kept on the device."""


def checks(effort: Effort) -> Iterator[Check]:
    """The flipper, and every model with its tensors here and there."""
    yield attempt(
        "bytes are flipped in place, as numpy does it: every mask on every byte",
        "the flipper",
        lambda: _flips(effort),
    )
    for path in effort.paths:
        for kind in KINDS:
            yield attempt(
                "kept on the device and fed by the host: the same bits",
                f"{path.name}, {kind}",
                lambda path=path, kind=kind: _places_agree(path, kind, effort),
            )


def _flips(effort: Effort) -> tuple[bool, str]:
    settings = EngineSettings(provider=effort.provider)
    memory = place(load(effort.paths[0]), settings)
    if memory is None:
        return True, "the provider gives no access to its memory: all is fed by the host"
    in_place = open_flipper(settings, memory).in_place
    return in_place, "in place" if in_place else "it does not work: tensors are copied both ways"


def _places_agree(path: Path, kind: str, effort: Effort) -> tuple[bool, str]:
    context = context_of(path, kind, "all", effort.images, effort.provider)
    here, there = PortsEngine(context, place=on_host), PortsEngine(context, place=place)
    runs = differ = 0
    try:
        for scenario in _scenarios(context, effort):
            pairs = zip(here.results(scenario), there.results(scenario), strict=True)
            for pair in pairs:
                fed, kept = (output_bytes(iter([result])) for result in pair)
                runs += 1
                differ += fed.tobytes() != kept.tobytes()
    finally:
        here.close()
        there.close()
    return differ == 0, f"{differ} of {runs} runs differ"


def _scenarios(context: EngineContext, effort: Effort) -> Iterator[Scenario]:
    """Flips, and masks that set: putting back is not the same as flipping again."""
    sampler = UniformSampler(n=effort.scenarios, seed=31)
    for fault_model in (BitFlip(), StuckAt(1)):
        yield from SampledScenarios(FaultSpace(context.sites, [fault_model]), sampler)
