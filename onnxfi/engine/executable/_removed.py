"""Tensors of a model that its deployed graph has not: which, and what became of them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

from onnxfi.engine.executable._carried import carried_values
from onnxfi.engine.executable._deployed import trial_feeds
from onnxfi.engine.executable._optimize import optimized
from onnxfi.engine.runtime import EngineSettings, find_provider
from onnxfi.errors import OnnxFIError
from onnxfi.graph import Model

_FOLDED = "folded into other constants, or fused away"
_CONSTANT = "computed once, when the session starts"
_DROPPED = "not computed any more: nothing that is left reads it"


@dataclass(frozen=True, slots=True, kw_only=True)
class RemovedTensor:
    """A tensor of the file that does not exist where the model is deployed.

    Attributes:
        name: Its name in the file.
        stored: Whether it is stored; else computed.
        reason: What became of it.
    """

    name: str
    stored: bool
    reason: str


def removed_values(
    model: Model, names: Sequence[str], settings: EngineSettings
) -> tuple[RemovedTensor, ...]:
    """Computed values that onnxruntime would not materialise if nobody asked for them.

    Args:
        model: The model.
        names: Values of it, as far as they are of interest.
        settings: How it is run.

    Returns:
        Those that are gone, in the order of ``names``; none where the deployed graph is not known
        (providers other than the CPU, models that onnxruntime can't write in optimised form).
    """
    plain = replace(settings, graph="stored", stream=None)
    computed = [name for name in names if model.index.producer(name) is not None]
    if not computed or plain.optimization == "disabled" or not find_provider(plain).on_cpu:
        return ()
    try:
        executable = optimized(model, plain)
    except OnnxFIError:
        return ()
    own = {name for node in model.index.nodes for name in node.outputs}
    made = [name for node in executable.index.nodes if not node.scope for name in node.outputs]
    new = [name for name in made if name and name not in own]
    carried = carried_values(model, executable, new, trial_feeds(model, plain), plain)
    left = {name: executable.index.producer(name) for name in made}
    left |= {stored: executable.index.producer(name) for name, stored in carried.items()}
    operators = {name: node.op_type for name, node in left.items() if node is not None}
    constant = executable.index.initializers
    return tuple(
        RemovedTensor(name=name, stored=False, reason=_became(model, name, operators, constant))
        for name in computed
        if name not in operators
    )


def removed_tensors(model: Model, deployed: Model) -> tuple[RemovedTensor, ...]:
    """All tensors of a model that the deployed graph has under no name.

    Args:
        model: The model.
        deployed: Its deployed graph, with stored names.
    """
    index = deployed.index
    operators = {_base(name): node.op_type for node in index.nodes for name in node.outputs if name}
    kept = {_base(name) for name in index.initializers}
    return tuple(_gone(model, operators, kept))


def _gone(model: Model, operators: Mapping[str, str], kept: set[str]) -> Iterator[RemovedTensor]:
    index = model.index
    for name in index.initializers:
        if name not in kept and name not in operators:
            yield RemovedTensor(name=name, stored=True, reason=_FOLDED)
    for node in index.nodes:
        for name in node.outputs if not node.scope else ():
            if name and name not in operators:
                reason = _became(model, name, operators, kept)
                yield RemovedTensor(name=name, stored=False, reason=reason)


def _base(name: str) -> str:
    """The stored name in that of a further form: ``name~2``, ``name~folded``."""
    return name.partition("~")[0]


def _became(
    model: Model, name: str, operators: Mapping[str, str], constant: Mapping[str, object] | set[str]
) -> str:
    """What a value that is gone is a part of: the operators that make what follows from it."""
    if name in constant:
        return _CONSTANT
    found: dict[str, None] = {}
    seen, ahead = {name}, [name]
    while ahead:
        for use in model.index.consumers(ahead.pop()):
            for made in use.node.outputs:
                if made in operators:
                    found[f"{operators[made]} that makes {made!r}"] = None
                elif made and made not in seen:
                    seen.add(made)
                    ahead.append(made)
    if not found:
        return _DROPPED
    first, *more = found
    return f"fused into the {first}" + (f" and {len(more)} more" if more else "")
