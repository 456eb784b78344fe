"""What comparisons found, as values that a JSON file holds."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field, replace

import numpy as np

from agreement.answers import Answer, margin

#: Outcomes that all engines agree on at every level, but for ties.
SERIOUS = ("critical", "due")


@dataclass(frozen=True, slots=True, kw_only=True)
class Exceptional:
    """A sample that is critical or due by one engine and not by the other.

    Attributes:
        scenario: Number of the scenario.
        sample: Number of the sample.
        outcomes: By the first and by the second engine of the pair.
        margin: Smallest distance of the two best scores, over golden and faulty scores of both;
            None where scores are no numbers.
        scale: Largest score of the sample, by amount.
    """

    scenario: int
    sample: int
    outcomes: tuple[str, str]
    margin: float | None
    scale: float

    @property
    def relative(self) -> float | None:
        """The margin over the largest score."""
        return None if self.margin is None else self.margin / max(self.scale, 1e-30)


@dataclass(frozen=True, slots=True, kw_only=True)
class Pair:
    """Two engines on one line.

    Attributes:
        engines: Their names.
        samples: Samples compared, over all scenarios.
        moved: Samples with different outcomes.
        bits: Output elements that differ in some bit.
        exceptions: Those that are critical or due by one of them only.
    """

    engines: tuple[str, str]
    samples: int = 0
    moved: int = 0
    bits: int = 0
    exceptions: tuple[Exceptional, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Tally:
    """What one engine answered on one line.

    Attributes:
        outcomes: Samples by outcome.
        contradictions: Samples that are masked though some output bit changed, or that are not
            though none did.
        block: Scenarios whose counts are others when all are handed over in one block; None if the
            engine takes no blocks.
    """

    outcomes: dict[str, int] = field(default_factory=dict)
    contradictions: int = 0
    block: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Line:
    """One model, case and optimisation level.

    Attributes:
        model: File name.
        case: Name of the case.
        level: Optimisation level.
        scenarios: Scenarios carried out by all engines.
        engines: What each answered.
        pairs: Each engine with each.
        left_out: Engines that can't do it, and why.
    """

    model: str
    case: str
    level: str
    scenarios: int
    engines: dict[str, Tally]
    pairs: tuple[Pair, ...]
    left_out: dict[str, str]


def counted(tally: Tally, answer: Answer) -> Tally:
    """A tally with one more scenario."""
    outcomes = dict(tally.outcomes)
    for word in answer.words():
        outcomes[word] = outcomes.get(word, 0) + 1
    masked = answer.codes == 0
    wrong = int(np.count_nonzero(masked != answer.unchanged))
    return replace(tally, outcomes=outcomes, contradictions=tally.contradictions + wrong)


def compared(pair: Pair, scenario: int, answers: tuple[Answer, Answer]) -> Pair:
    """A pair with one more scenario."""
    one, other = answers
    words = list(zip(one.words(), other.words(), strict=True))
    moved = [sample for sample, (mine, theirs) in enumerate(words) if mine != theirs]
    serious = [sample for sample in moved if any(word in SERIOUS for word in words[sample])]
    found = [_exceptional(scenario, sample, words[sample], answers) for sample in serious]
    kind = f"u{one.faulty.dtype.itemsize}"
    bits = np.count_nonzero(one.faulty.view(kind) != other.faulty.view(kind))
    return replace(
        pair,
        samples=pair.samples + len(words),
        moved=pair.moved + len(moved),
        bits=pair.bits + int(bits),
        exceptions=(*pair.exceptions, *found),
    )


def _exceptional(
    scenario: int, sample: int, words: tuple[str, str], answers: tuple[Answer, Answer]
) -> Exceptional:
    rows = [scores[sample] for each in answers for scores in (each.golden, each.faulty)]
    finite = bool(np.isfinite(rows).all())
    return Exceptional(
        scenario=scenario,
        sample=sample,
        outcomes=words,
        margin=min(map(margin, rows)) if finite else None,
        scale=_largest(rows),
    )


def _largest(rows: Iterable[np.typing.NDArray[np.generic]]) -> float:
    values = np.abs(np.asarray(list(rows), np.float64))
    return float(values[np.isfinite(values)].max(initial=0.0))
