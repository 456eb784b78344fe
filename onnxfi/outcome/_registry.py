"""The criteria by name, and the text that names one."""

from __future__ import annotations

from typing import ClassVar, Protocol

from onnxfi.errors import ConfigError
from onnxfi.outcome._criterion import AllOutputs, Criterion, EachStep
from onnxfi.plugins import Plugin, Registry

_STEPS = "steps:"


class CriterionPlugin(Criterion, Plugin, Protocol):
    """What the class of a criterion says and can do so that people can name it in a text.

    Attributes:
        name: The word before the colon.
        help: What a changed decision is, in a few words.
        forms: How it is written, such as ``threshold:VALUE``.
    """

    forms: ClassVar[tuple[str, ...]]

    @classmethod
    def read(cls, text: str, values: str | None) -> Criterion:
        """The criterion that a text stands for, the inverse of ``spec()``.

        Args:
            text: The whole text, for messages.
            values: What follows its colon; None if there is none.

        Raises:
            ConfigError: The values are no ones of this criterion.
        """
        ...


#: The criteria: one line each, where its class is.
CRITERIA: Registry[CriterionPlugin] = Registry(
    "criterion",
    {
        "top1": "onnxfi.outcome._topk:Top1",
        "top5": "onnxfi.outcome._topk:TopK",
        "label": "onnxfi.outcome._topk:LabelLost",
        "threshold": "onnxfi.outcome._threshold:Threshold",
        "tolerance": "onnxfi.outcome._tolerance:Tolerance",
    },
    group="onnxfi.criteria",
)


def criterion_forms() -> str:
    """How criteria are written, in a line."""
    return ", ".join(form for cls in CRITERIA for form in cls.forms)


def parse_criterion(text: str) -> Criterion:
    """The criterion of a text such as ``top1``, ``top5``, ``label`` or ``tolerance:0.1,0.01``.

    Raises:
        ConfigError: It is none of them.
    """
    if text.startswith(_STEPS):
        inner = parse_criterion(text.removeprefix(_STEPS))
        if isinstance(inner, AllOutputs):
            raise ConfigError(f"criterion '{text}' can't judge each step: it is of all outputs")
        return EachStep(inner)
    name, colon, values = text.partition(":")
    return CRITERIA.get(name).read(text, values if colon else None)
