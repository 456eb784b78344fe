"""Left-out tensors: what is in a model but is no fault site, and why."""

from __future__ import annotations

import enum
from collections.abc import Iterable
from dataclasses import dataclass

from onnxfi.bits import ElementType
from onnxfi.faults.sites._site import SiteKind

_NAMED = 3


class Reason(enum.StrEnum):
    """Why a tensor is no site; shown as it is."""

    UNREAD = "not read by any operator"
    UNUSED = "no output depends on it"
    PASSED = "an input that is also an output: nothing can come between"
    STRUCTURE = "structural: a shape, axis, index, size or condition"
    EMPTY = "empty tensor"
    UNKNOWN_TYPE = "element type not known"
    UNTOLD_TYPE = "element type not known: onnxruntime does not load what computes it"
    BODY = "computed inside the body of an operator other than If, Loop and Scan"
    STATIC = "computed from stored tensors and shapes only, never from a sample"
    UNSEEN = "shape at run time not seen by the profile"
    LISTS = "integers in an attribute: the structure of trees, positions, class labels"


@dataclass(frozen=True, slots=True, kw_only=True)
class LeftOut:
    """A tensor of the model that is no site.

    Attributes:
        name: Its name.
        reason: Why it is left out.
        elements: Number of elements, None if not known.
        bits: Stored bits; 0 for computed tensors and where they are not known.
        kind: What the tensor is to the network; None for a stored one, which no operator takes for
            anything.
        op_type: Operator that computes it; empty for other tensors.
    """

    name: str
    reason: str
    elements: int | None
    bits: int
    kind: SiteKind | None = None
    op_type: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class LeftOutGroup:
    """Tensors that are no sites for one reason, counted, for people.

    Attributes:
        reason: The reason.
        tensors: How many.
        names: Some of them.
    """

    reason: str
    tensors: int
    names: tuple[str, ...]


def grouped(left_out: Iterable[LeftOut]) -> tuple[LeftOutGroup, ...]:
    """Left-out tensors by reason, most frequent first."""
    names: dict[str, list[str]] = {}
    for left in left_out:
        names.setdefault(left.reason, []).append(left.name)
    groups = (
        LeftOutGroup(reason=reason, tensors=len(named), names=tuple(named[:_NAMED]))
        for reason, named in names.items()
    )
    return tuple(sorted(groups, key=lambda group: -group.tensors))


def no_format(element: ElementType) -> str:
    """The reason for types whose elements are not words of bits."""
    return f"{element.name} elements are not single words of bits"


def no_port(element: ElementType) -> str:
    """The reason for types that no operator can change bits of at run time."""
    return f"no operator can change bits of computed {element.name} tensors"


def not_a_tensor(kind: str) -> str:
    """The reason for sequences, maps and optional values."""
    return f"{'an' if kind == 'optional' else 'a'} {kind}, not a tensor"
