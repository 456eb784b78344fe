"""The targets of the evaluation: which faults of which model, and what is injected as truth.

Frozen: figures of different methods compare only where they are about the same faults.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from types import MappingProxyType
from typing import Any, NamedTuple

TEST_IMAGES = 200  # the first ones of a test set: what faults are judged by
CALIBRATION_IMAGES = 64  # the last ones: what scores may look at
UNIFORM = 20_000  # faults of the uniform sample


class _Levels(NamedTuple):
    """Bits of a format from those that move a number furthest.

    Attributes:
        top: The one that moves it furthest.
        high: All that can move it by more than itself, and the sign.
        lower: The others, from high to low; each moves it half as far as the one before.
    """

    top: int
    high: tuple[int, ...]
    lower: tuple[int, ...]


def _down(start: int) -> tuple[int, ...]:
    return tuple(range(start, -1, -1))


_FORMATS: Mapping[str, _Levels] = MappingProxyType(
    {
        "fp32": _Levels(30, (30, 31, *range(29, 22, -1)), _down(22)),
        "fp16": _Levels(14, (14, 15, *range(13, 9, -1)), _down(9)),
        "int8_qdq": _Levels(7, (7,), _down(6)),
    }
)
_COMPUTED = ("fp32", "int8_qdq")  # formats of models whose activations are targets
_BYTES = ("UINT8", "INT8")  # computed tensors of a quantized model that hardware would hold


@dataclass(frozen=True, slots=True, kw_only=True)
class Target:
    """A population of single bit flips.

    Attributes:
        model: Stem of the model file.
        what: Name of the population, part of the target's.
        inputs: Stem of the test set.
        kind: Kind of sites.
        include: Globs of site names, one of which must match; all if empty.
        parts: Parts of spiking neurons; all if empty.
        elements: Element types of sites; all if empty.
        census: Bits of which every fault is injected.
        downwards: Further bits, from high to low, which are injected one after the other, every
            fault of each, until one has no failing fault.
        closely: Globs of names of sites of which more bits have a census.
        closely_bits: These bits.
        sampled: Bits of which so many faults are injected, drawn uniformly.
        uniform: Faults drawn uniformly from all.
    """

    model: str
    what: str
    inputs: str
    kind: str
    include: tuple[str, ...] = ()
    parts: tuple[str, ...] = ()
    elements: tuple[str, ...] = ()
    census: tuple[int, ...] = ()
    downwards: tuple[int, ...] = ()
    closely: tuple[str, ...] = ()
    closely_bits: tuple[int, ...] = ()
    sampled: Mapping[int, int] = field(default_factory=dict)
    uniform: int = UNIFORM

    @property
    def name(self) -> str:
        """Name of the target, and of its truth file."""
        return f"{self.model}-{self.what}"


def _weights(model: str, inputs: str, variant: str, **how: Any) -> Target:
    # Constants of operators, such as the bounds of a Clip, are no weights of the network.
    return Target(
        model=f"{model}_{variant}",
        what="weights",
        inputs=inputs,
        kind="weight",
        include=("*.weight*",),
        **how,
    )


def _activations(model: str, inputs: str, variant: str, **how: Any) -> Target:
    return Target(
        model=f"{model}_{variant}",
        what="activations",
        inputs=inputs,
        kind="activation",
        elements=_BYTES if variant == "int8_qdq" else (),
        **how,
    )


def _known(model: str, inputs: str) -> list[Target]:
    """A small network: every bit that matters."""

    def every(variant: str) -> dict[str, Any]:
        levels = _FORMATS[variant]
        return {"census": levels.high, "downwards": levels.lower}

    return [
        *(_weights(model, inputs, variant, **every(variant)) for variant in _FORMATS),
        *(_activations(model, inputs, v, **every(v)) for v in _COMPUTED),
    ]


def _top(variant: str, sample: int | None = None) -> dict[str, Any]:
    """So many flips of the top bit; or all of them, and downwards."""
    levels = _FORMATS[variant]
    if sample is None:
        return {"census": (levels.top,), "downwards": levels.lower}
    return {"sampled": {levels.top: sample}}


def _ends(variant: str) -> dict[str, Any]:
    """Of the first and the last layer more: there moderate changes matter, too."""
    bits = (7, 6, 5) if variant == "int8_qdq" else _FORMATS[variant].high
    return {"closely": ("stem.weight*", "head.weight*"), "closely_bits": bits}


def _answers(variant: str) -> dict[str, Any]:
    """Likewise of what the answer is made of: few elements, and rare failures are there."""
    bits = _down(7) if variant == "int8_qdq" else _FORMATS[variant].high
    return {"closely": ("/pool/*", "/flatten/*", "logits*"), "closely_bits": bits}


def _spiking(model: str) -> list[Target]:
    stored = {"model": model, "inputs": "mnist_test1000", "kind": "weight"}
    computed = stored | {"kind": "activation", "elements": ("FLOAT",)}
    top = _FORMATS["fp32"].top
    return [
        Target(what="readout", include=("readout.weight",), census=(top,), **stored),
        Target(what="spikes", parts=("spike",), sampled={top: 5_000}, **computed),
        Target(
            what="hidden",
            include=("conv1.weight", "conv2.weight"),
            sampled={top: 2_000},
            uniform=6_000,
            **stored,
        ),
        Target(
            what="membranes", parts=("membrane",), sampled={top: 3_000}, uniform=6_000, **computed
        ),
    ]


_LENET, _DIGITS = ("lenet5_mnist", "mnist_test1000"), ("digits_cnn", "digits_test")
_RESNET8 = ("resnet8_fashion", "fashion_test1000")
_RESNET20 = ("resnet20_fashion", "fashion14_test1000")
_MOBILENET = ("mobilenet_fashion", "fashion14_test1000")

# Failing flips of integers are too rare for a sample.
_SAMPLES: Mapping[str, int | None] = {"fp32": 25_000, "fp16": 25_000, "int8_qdq": None}

TARGETS: tuple[Target, ...] = (
    *_known(*_LENET),
    *_known(*_DIGITS),
    *(_weights(*_RESNET8, v, **_top(v, n), **_ends(v)) for v, n in _SAMPLES.items()),
    *(_weights(*_MOBILENET, v, **_top(v, n), **_ends(v)) for v, n in _SAMPLES.items()),
    *(_weights(*_RESNET20, v, **_top(v, n or 60_000), **_ends(v)) for v, n in _SAMPLES.items()),
    *_spiking("snn_snntorch_mnist"),
    *_spiking("snn_spikingjelly_mnist"),
    *(_activations(*_RESNET8, v, **_top(v, 15_000), **_answers(v)) for v in _COMPUTED),
    *(_activations(*_MOBILENET, v, **_top(v, 15_000), **_answers(v)) for v in _COMPUTED),
    *(_activations(*_RESNET20, v, **_top(v, 15_000), **_answers(v)) for v in _COMPUTED),
    _weights("resnet20_fashion_bn", _RESNET20[1], "fp32", **_top("fp32", 25_000), **_ends("fp32")),
)


def chosen(only: str, targets: tuple[Target, ...] = TARGETS) -> list[Target]:
    """The targets whose names match one of some globs, separated by commas.

    Raises:
        ValueError: A glob matches none.
    """
    globs = only.split(",")
    for glob in globs:
        if not any(fnmatchcase(target.name, glob) for target in targets):
            names = ", ".join(target.name for target in targets)
            raise ValueError(f"--only {glob!r} matches no target; there are: {names}")
    return [t for t in targets if any(fnmatchcase(t.name, glob) for glob in globs)]
