"""What ``inspect`` says of the bits in a file: how many can be faulted, and what the rest is."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from onnxfi.cli._subject import Subject
    from onnxfi.report import Fact

_SETTINGS = "settings of operators in attributes: kernel sizes, axes, epsilons"
_NAMED = 3


@dataclass(slots=True)
class Tally:
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


def stored_bits(subject: Subject) -> tuple[int, int]:
    """Bits in the file's tensors and attributes that can be faulted, and all of them."""
    from onnxfi.faults import site_bits

    covered = sum(site_bits(site) for site in subject.table.sites if site.kind.stored)
    rest = sum(left.bits for left in subject.table.left_out)
    return covered, covered + rest + sum(subject.model.index.settings.values())


def tally_left_out(subject: Subject) -> dict[str, tuple[Tally, list[str]]]:
    """What is not a site, by reason, most frequent first, with a few names of each."""
    grouped: dict[str, tuple[Tally, list[str]]] = {}
    # The profile knows better why it has no run-time shape for a value.
    seen = {} if subject.profile is None else subject.profile.left_out
    for left in subject.table.left_out:
        reason = seen.get(left.name, left.reason)
        tally, names = grouped.setdefault(reason, (Tally(), []))
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
        tally = Tally(tensors=len(settings), bits=bits, unknown=len(settings))
        grouped[_SETTINGS] = (tally, list(settings)[:_NAMED])
    return dict(sorted(grouped.items(), key=lambda item: -item[1][0].tensors))


def bits_facts(subject: Subject) -> list[Fact]:
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
