"""Which values of a model a campaign keeps statistics of."""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Sequence

from onnxfi.engine import Profile, measurable
from onnxfi.errors import ConfigError
from onnxfi.faults import FaultSite, NeuronPart, name_matches, spike_values
from onnxfi.graph import Model


def named_monitors(globs: Sequence[str], model: Model) -> tuple[str, ...]:
    """Values that globs name, in topological order, each once.

    Candidates are the tensors of numbers that nodes outside of control-flow bodies compute, those
    that the model returns among them.

    Args:
        globs: Globs of value names (``*``, ``?``, ``[...]``, case counts). A full name matches
            itself, whatever characters it has.
        model: The model.

    Raises:
        ConfigError: A glob matches none of them.
    """
    index = model.index
    every = [name for node in index.nodes for name in node.outputs if name]
    outside = {name for node in index.nodes if not node.scope for name in node.outputs}
    known = [name for name in every if name in outside and measurable(index.element_of(name))]
    for glob in globs:
        if any(name_matches(name, glob) for name in known):
            continue
        raise ConfigError(
            f"no computed value matches the monitor {glob!r}{_why(glob, every, known)}"
        )
    return tuple(n for n in known if any(name_matches(n, glob) for glob in globs))


def laid_out(names: Sequence[str], profile: Profile) -> tuple[str, ...]:
    """Those of the values of which the profile knows where samples lie.

    Raises:
        ConfigError: None of them, though some are wanted.
    """
    known = tuple(n for n in names if n in profile.layouts or n in profile.outputs)
    if names and not known:
        first = names[0]
        reason = profile.left_out.get(first, "its run-time shape is unknown")
        raise ConfigError(f"none of the values to monitor can be measured; {first!r}: {reason}")
    return known


def _why(glob: str, every: Sequence[str], known: Sequence[str]) -> str:
    hidden = [name for name in every if name_matches(name, glob)]
    if hidden:
        return f": {hidden[0]!r} lies in a control-flow body, or is no tensor of a known type"
    near = difflib.get_close_matches(glob, known, 3, cutoff=0.4)
    hint = f"; near: {', '.join(map(repr, near))}" if near else ""
    return f"{hint}; `onnxfi sites MODEL --targets activation` lists what a model computes"


def spike_monitors(sites: Iterable[FaultSite]) -> dict[str, tuple[str, ...]]:
    """Values that hold the spikes of each layer of neurons, one a step.

    Args:
        sites: All sites of the model.

    Raises:
        ConfigError: There are none that can be monitored.
    """
    every = list(sites)
    found = spike_values(every)
    if not found:
        looped = any(site.part is NeuronPart.SPIKE for site in every)
        why = "its steps are iterations of a loop" if looped else "it has no spiking neurons"
        raise ConfigError(f"spikes can be counted in unrolled spiking networks only; {why}")
    return found
