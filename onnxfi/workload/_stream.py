"""Streaming models: which outputs of one step are which inputs of the next."""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from onnxfi.errors import ConfigError

if TYPE_CHECKING:
    from onnxfi.graph import TensorSpec


@dataclass(frozen=True, slots=True, kw_only=True)
class StateStream:
    """How a model that keeps state is run over a sequence, one run a step.

    Attributes:
        state: Pairs of an output and the input that it becomes in the next step.
        inputs: The other inputs, which get new values in every step, in file order.
    """

    state: tuple[tuple[str, str], ...]
    inputs: tuple[str, ...]

    @property
    def state_inputs(self) -> tuple[str, ...]:
        """Inputs that hold the state."""
        return tuple(name for _, name in self.state)

    @property
    def state_outputs(self) -> tuple[str, ...]:
        """Outputs that give the next state, in the order of :attr:`state_inputs`."""
        return tuple(name for name, _ in self.state)


def parse_state(pairs: Iterable[str]) -> tuple[tuple[str, str], ...]:
    """Read ``OUT=IN`` texts, divided at the first ``=``.

    Raises:
        ConfigError: A text has no ``=`` with a name on both sides.
    """
    found = []
    for text in pairs:
        output, divides, name = text.partition("=")
        if not (divides and output and name):
            raise ConfigError(
                f"state {text!r} is not OUT=IN, an output of the model and the input that it is"
                f" fed back to"
            )
        found.append((output, name))
    return tuple(found)


def stream_of(
    pairs: Iterable[str], inputs: Sequence[TensorSpec], outputs: Sequence[TensorSpec]
) -> StateStream | None:
    """The stream that ``OUT=IN`` texts describe; None for no text.

    Args:
        pairs: The texts.
        inputs: The model's inputs.
        outputs: The model's outputs.

    Raises:
        ConfigError: A name is not of the model, is used twice, the two are of different types, or
            no input is left that could get new values.
    """
    state = parse_state(pairs)
    if not state:
        return None
    given = {spec.name: spec for spec in inputs}
    made = {spec.name: spec for spec in outputs}
    for output, name in state:
        _known(output, made, "output")
        _known(name, given, "input")
        _fits(made[output], given[name])
    for what, names in (("output", [out for out, _ in state]), ("input", [to for _, to in state])):
        for name in names:
            if names.count(name) > 1:
                raise ConfigError(f"{what} {name!r} is in two --state options; one state each")
    rest = tuple(name for name in given if name not in {to for _, to in state})
    if not rest:
        raise ConfigError(
            "all inputs of the model are state, so nothing says how many steps a sequence has;"
            " leave a --state out, or export the model with an input that is fed in every step"
        )
    return StateStream(state=state, inputs=rest)


def _known(name: str, known: dict[str, TensorSpec], what: str) -> None:
    if name in known:
        return
    near = difflib.get_close_matches(name, known, 1)
    hint = f"did you mean {near[0]!r}?" if near else f"it has: {', '.join(map(repr, known))}"
    raise ConfigError(f"--state names {name!r}, which is no {what} of the model; {hint}")


def _fits(output: TensorSpec, given: TensorSpec) -> None:
    kinds = {output.kind, given.kind}
    if kinds != {"tensor"}:
        other = next(iter(kinds - {"tensor"}))
        raise ConfigError(f"--state {output.name}={given.name}: a {other} can't be fed back")
    both = output.element, given.element
    if None not in both and output.element is not given.element:
        raise ConfigError(
            f"--state {output.name}={given.name}: the output is {_name(output)}, the input is"
            f" {_name(given)}; a state keeps its type"
        )
    ranks = [None if spec.shape is None else len(spec.shape) for spec in (output, given)]
    if None not in ranks and ranks[0] != ranks[1]:
        raise ConfigError(
            f"--state {output.name}={given.name}: the output has {ranks[0]} dimensions, the input"
            f" {ranks[1]}; a state keeps its shape"
        )


def _name(spec: TensorSpec) -> str:
    return "of an unknown type" if spec.element is None else spec.element.value
