"""What a sample is: how the array of each input is taken apart, and what a user says about it."""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import TYPE_CHECKING

from onnxfi.errors import ConfigError

if TYPE_CHECKING:
    from onnxfi.graph import TensorSpec


@dataclass(frozen=True, slots=True, kw_only=True)
class InputRole:
    """How the array of one input is fed.

    Attributes:
        axis: The model's axis that holds the samples; None where runs hold a single sample of it.
        at: The array's axis that holds them; None where all of the array is fed in every run.
    """

    axis: int | None
    at: int | None

    @property
    def batched(self) -> bool:
        """Whether several samples can be in one run."""
        return self.axis is not None

    def __str__(self) -> str:
        """``whole``, ``each``, ``1`` (in array and model alike) or ``0:1`` (array:model)."""
        if self.at is None:
            return "whole"
        if self.axis is None:
            return "each"
        return str(self.axis) if self.at == self.axis else f"{self.at}:{self.axis}"


#: The same array in every run.
WHOLE = InputRole(axis=None, at=None)
#: Each entry of the array's first axis is what one run gets.
EACH = InputRole(axis=None, at=0)


def role_of(text: str) -> InputRole:
    """The role that :meth:`InputRole.__str__` has written."""
    if text in ("whole", "each"):
        return WHOLE if text == "whole" else EACH
    at, _, axis = text.rpartition(":")
    return InputRole(axis=int(axis), at=int(at or axis))


@dataclass(frozen=True, slots=True, kw_only=True)
class Reading:
    """What a sample is.

    Attributes:
        inputs: How each input is fed, by name. Of sequences the axes are those of single runs.
        outputs: Batch axes of outputs, where the user has said them.
    """

    inputs: Mapping[str, InputRole]
    outputs: Mapping[str, int] = field(default_factory=lambda: MappingProxyType({}))

    def texts(self) -> dict[str, str]:
        """The same in words, for files; :func:`reading_of` reads it."""
        return {name: str(role) for name, role in self.inputs.items()}


def reading_of(texts: Mapping[str, str], outputs: Mapping[str, int]) -> Reading:
    """The reading that :meth:`Reading.texts` has written."""
    return Reading(inputs={name: role_of(text) for name, text in texts.items()}, outputs=outputs)


@dataclass(frozen=True, slots=True, kw_only=True)
class SampleChoice:
    """What the user says about samples; what is left open is inferred.

    Attributes:
        axes: Name of an input or output to its batch axis, ``1``; ``0:1`` says that samples are on
            axis 0 of the array and on axis 1 of the model's input.
        whole: Inputs that get the same array in every run.
        runs: Whether each entry of the arrays' first axis is what one run gets.
    """

    axes: Mapping[str, InputRole] = field(default_factory=lambda: MappingProxyType({}))
    whole: tuple[str, ...] = ()
    runs: bool = False

    @property
    def explicit(self) -> bool:
        """Whether anything is said about inputs."""
        return bool(self.axes or self.whole or self.runs)


def sample_choice(
    axes: Iterable[str] = (), whole: Iterable[str] = (), *, runs: bool = False
) -> SampleChoice:
    """The choice that ``NAME=AXIS`` texts and names of inputs describe.

    Raises:
        ConfigError: A text has another form, or a name is there twice.
    """
    found: dict[str, InputRole] = {}
    for text in axes:
        name, divides, axis = text.rpartition("=")
        parts = axis.split(":")
        if not (divides and name and len(parts) <= 2 and all(p.isdecimal() for p in parts)):
            raise ConfigError(
                f"batch axis {text!r} is not NAME=AXIS, such as x=1, or x=0:1 for samples on axis"
                " 0 of the array and axis 1 of the model's input"
            )
        if name in found:
            raise ConfigError(f"{name!r} has two batch axes; give one")
        found[name] = role_of(axis)
    names = tuple(whole)
    both = next((name for name in names if name in found), None)
    if both is not None:
        raise ConfigError(f"{both!r} has a batch axis and is fed whole as well; choose one")
    return SampleChoice(axes=MappingProxyType(found), whole=names, runs=runs)


def check_choice(
    choice: SampleChoice, inputs: Sequence[TensorSpec], outputs: Sequence[TensorSpec]
) -> None:
    """Refuse names that are not the model's, and axes that it has not.

    Raises:
        ConfigError: There is such a name or axis.
    """
    known = {spec.name: spec for spec in (*inputs, *outputs)}
    fed = [spec.name for spec in inputs]
    for what, names, among in (
        ("a batch axis is given for", choice.axes, list(known)),
        ("to be fed whole is", choice.whole, fed),
    ):
        for name in names:
            if name not in among:
                near = difflib.get_close_matches(name, among, 1) or [", ".join(among)]
                raise ConfigError(
                    f"{what} {name!r}, which the model has not; did you mean {near[0]}?"
                )
    for name, role in choice.axes.items():
        shape = known[name].shape
        if shape is not None and role.axis is not None and role.axis >= len(shape):
            raise ConfigError(f"{name!r} has {len(shape)} axes, so none is number {role.axis}")


def output_axes(choice: SampleChoice, outputs: Sequence[TensorSpec]) -> dict[str, int]:
    """The batch axes of outputs that were said."""
    names = {spec.name for spec in outputs}
    return {
        name: role.axis
        for name, role in choice.axes.items()
        if name in names and role.axis is not None
    }


#: Readings of a source that are tried, at most.
MOST_WAYS = 24


@dataclass(frozen=True, slots=True, kw_only=True)
class Ways:
    """The readings that are possible, as far as shapes tell.

    Attributes:
        ways: Readings to be tried by running the model, likely ones first.
        fallback: What holds where none of them is borne out by runs; None to refuse then.
        whole: The reading of all arrays, as they are, as one run's inputs; None if they don't fit.
        doubt: What is odd about the arrays, for messages where the model runs in no reading.
    """

    ways: tuple[Reading, ...]
    fallback: Reading | None
    whole: Reading | None = None
    doubt: str | None = None
