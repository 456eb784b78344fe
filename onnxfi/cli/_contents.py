"""What ``inspect`` says of a file: zeros, bits that can be faulted, the rest, layers over time."""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from onnxfi.cli._subject import LoadedModel
    from onnxfi.faults import FaultSite
    from onnxfi.graph import Model
    from onnxfi.report import Fact, TableView


_LEARNED = ("weight", "bias")
_ROWS = 20
_SETTINGS = "settings of operators in attributes: kernel sizes, axes, epsilons"
_NAMED = 3


@dataclass(frozen=True, slots=True, kw_only=True)
class Zeros:
    """How much of a weight tensor is exactly zero.

    Attributes:
        site: Its site.
        elements: Its elements; of a sparse tensor those of the dense one that it stands for.
        zeros: Those that are zero, of either sign.
    """

    site: FaultSite
    elements: int
    zeros: int


def zeros_by_group(subject: LoadedModel) -> dict[tuple[str, str], int]:
    """Weights and biases whose value is zero, of either sign, by kind and operator.

    Integers count where the stored number is zero, whatever the zero point. Zeros that a sparse
    tensor leaves out are not stored, and not counted.
    """
    found: dict[tuple[str, str], int] = defaultdict(int)
    for site in subject.table.sites:
        if site.kind.value in _LEARNED:
            found[site.kind.value, site.op_type] += _stored_zeros(subject.model, site)[1]
    return dict(found)


def zero_weights(subject: LoadedModel) -> list[Zeros]:
    """Zeros in each weight tensor, in file order."""
    sites = [site for site in subject.table.sites if site.kind.value == "weight"]
    return [_zeros(subject.model, site) for site in sites]


def _zeros(model: Model, site: FaultSite) -> Zeros:
    from onnxfi.graph import Form

    stored, zeros = _stored_zeros(model, site)
    if site.form is not Form.SPARSE:
        return Zeros(site=site, elements=stored, zeros=zeros)
    shape = model.index.shape_of(site.name) or ()
    elements = math.prod(dim for dim in shape if isinstance(dim, int))
    return Zeros(site=site, elements=elements, zeros=elements - stored + zeros)


def _stored_zeros(model: Model, site: FaultSite) -> tuple[int, int]:
    """Stored numbers, and how many of them are zero."""
    import numpy as np

    from onnxfi.bits import format_of
    from onnxfi.graph import initializer_words

    form = format_of(site.element)
    words = initializer_words(model, site.name)
    values = words.astype(form.word, copy=False).view(form.value)
    return len(values), len(values) - int(np.count_nonzero(values))


def zeros_document(subject: LoadedModel) -> dict[str, Any]:
    """Zero weights for programs."""
    found = zero_weights(subject)
    elements, zeros = sum(each.elements for each in found), sum(each.zeros for each in found)
    return {
        "elements": elements,
        "zeros": zeros,
        "share": zeros / elements if elements else None,
        "tensors": [
            {
                "site": each.site.name,
                "layer": each.site.layer,
                "elements": each.elements,
                "zeros": each.zeros,
                "share": each.zeros / each.elements if each.elements else None,
            }
            for each in found
        ],
    }


def zeros_view(subject: LoadedModel) -> TableView:
    """The weight tensors that hold zeros, those with the most first."""
    from onnxfi.report import Column, Row, TableView, count_text, share_text

    found = zero_weights(subject)
    elements, zeros = sum(each.elements for each in found), sum(each.zeros for each in found)
    ranked = sorted((each for each in found if each.zeros), key=lambda each: -each.zeros)
    whole = f"{count_text(zeros)} of {count_text(elements)} weights are exactly zero"
    return TableView(
        title="Zero weights",
        columns=(
            *(Column(title=title, number=False) for title in ("site", "layer")),
            *(Column(title=title) for title in ("weights", "zeros", "share")),
        ),
        rows=tuple(
            Row(
                cells=(
                    each.site.name,
                    each.site.layer,
                    f"{each.elements:,}",
                    f"{each.zeros:,}",
                    share_text(each.zeros, each.elements),
                )
            )
            for each in ranked[:_ROWS]
        ),
        note=f"{whole} ({share_text(zeros, elements)})",
        left_out=max(0, len(ranked) - _ROWS),
    )


@dataclass(slots=True)
class SiteTally:
    """Sites or tensors counted together; ``unknown`` of them have no known number of elements."""

    tensors: int = 0
    elements: int = 0
    bits: int = 0
    unknown: int = 0

    def texts(self) -> tuple[str, str, str]:
        """Tensors, elements and bits."""
        if self.unknown:
            return f"{self.tensors:,}", "?", "?"
        return f"{self.tensors:,}", f"{self.elements:,}", f"{self.bits:,}"


def stored_bits(subject: LoadedModel) -> tuple[int, int]:
    """Bits in the file's tensors and attributes that can be faulted, and all of them."""
    from onnxfi.faults import site_bits

    covered = sum(site_bits(site) for site in subject.table.sites if site.kind.stored)
    rest = sum(left.bits for left in subject.table.left_out)
    return covered, covered + rest + sum(subject.model.index.settings.values())


def tally_left_out(subject: LoadedModel) -> dict[str, tuple[SiteTally, list[str]]]:
    """What is not a site, by reason, most frequent first, with a few names of each."""
    grouped: dict[str, tuple[SiteTally, list[str]]] = {}
    # The profile knows better why it has no run-time shape for a value.
    seen = {} if subject.profile is None else subject.profile.left_out
    for left in subject.table.left_out:
        reason = seen.get(left.name, left.reason)
        tally, names = grouped.setdefault(reason, (SiteTally(), []))
        tally.tensors += 1
        tally.bits += left.bits
        if left.elements is None:
            tally.unknown += 1
        else:
            tally.elements += left.elements
        if len(names) < _NAMED:
            names.append(left.name)
    settings = subject.model.index.settings
    if settings:
        bits = sum(settings.values())
        tally = SiteTally(tensors=len(settings), bits=bits, unknown=len(settings))
        grouped[_SETTINGS] = (tally, list(settings)[:_NAMED])
    return dict(sorted(grouped.items(), key=lambda item: -item[1][0].tensors))


def bits_facts(subject: LoadedModel) -> list[Fact]:
    """What can be faulted of a file, and what the rest is."""
    from onnxfi.report import Fact, count_text, share_text

    covered, in_file = stored_bits(subject)
    text = f"{count_text(covered)} of {count_text(in_file)} can be faulted"
    facts = [Fact(label="stored bits", text=f"{text} ({share_text(covered, in_file)})")]
    left = {reason: tally.bits for reason, (tally, _) in tally_left_out(subject).items()}
    rest = [f"{count_text(bits)} {reason}" for reason, bits in left.items() if bits]
    if rest:
        facts.append(Fact(label="the rest", text="; ".join(rest)))
    return facts


@dataclass(slots=True)
class _Group:
    """Sites of one layer and part; bits are None where a run-time shape is not known."""

    tensors: int = 0
    bits: int | None = 0
    steps: set[int] = field(default_factory=set)


def time_document(sites: Sequence[FaultSite]) -> dict[str, Any] | None:
    """Time steps and parts of a model's sites as JSON; None if they have neither."""
    if not _in_time(sites):
        return None
    return {
        "steps": _count(sites),
        "parts": [
            {
                "layer": layer,
                "part": part,
                "sites": group.tensors,
                "bits": group.bits,
                "steps": sorted(group.steps),
            }
            for (layer, part), group in _groups(sites).items()
        ],
    }


def time_view(sites: Sequence[FaultSite]) -> TableView | None:
    """Time steps and parts of a model's sites as a table; None if they have neither."""
    from onnxfi.faults import steps_text
    from onnxfi.report import Column, Row, TableView

    if not _in_time(sites):
        return None
    groups = _groups(sites)
    steps, spiking = _count(sites), any(part for _, part in groups)
    return TableView(
        title="Spiking neurons in a loop" if steps is None else f"Unrolled over {steps} time steps",
        columns=(
            Column(title="layer", number=False),
            Column(title="part of spiking neurons", number=False),
            Column(title="steps", number=False),
            Column(title="sites"),
            Column(title="bits"),
        ),
        rows=tuple(
            Row(
                cells=(
                    layer,
                    part or "-",
                    steps_text(sorted(group.steps)) or "-",
                    f"{group.tensors:,}",
                    "?" if group.bits is None else f"{group.bits:,}",
                )
            )
            for (layer, part), group in groups.items()
        ),
        note="" if spiking else "no spiking neurons are recognised",
    )


def _in_time(sites: Sequence[FaultSite]) -> bool:
    return any(site.series is not None or site.part is not None for site in sites)


def _count(sites: Sequence[FaultSite]) -> int | None:
    """Steps of an unrolled network; None for a loop, which has its body once."""
    unrolled = [site.step or 0 for site in sites if site.series is not None]
    return 1 + max(unrolled) if unrolled else None


def _groups(sites: Sequence[FaultSite]) -> dict[tuple[str, str | None], _Group]:
    """Sites that have a step or a part, by layer and part, in the order of the model."""
    from onnxfi.faults import site_bits

    groups: dict[tuple[str, str | None], _Group] = {}
    for site in sites:
        if site.step is None and site.part is None:
            continue
        group = groups.setdefault((site.layer, site.part), _Group())
        group.tensors += 1
        if site.step is not None:
            group.steps.add(site.step)
        if site.layout is None or group.bits is None:
            group.bits = None
        else:
            group.bits += site_bits(site)
    return groups
