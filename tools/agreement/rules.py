"""What must hold between engines, and where it doesn't."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from agreement.records import Exceptional, Line, Pair

#: Engines that run in one executable graph.
SHARED = ("lift", "ports", "cut")
REFERENCE = "bake"
#: Share of samples that may be critical or due in one engine only, at the default level.
ALLOWED = 1e-4
#: Two best scores nearer than this, over the largest score, are a tie: rounding may turn it. For
#: integer models, whose scores come in steps.
TIE = 0.02


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """A rule and whether it holds.

    Attributes:
        rule: In words.
        samples: Samples that it was tried on.
        against: Samples (or scenarios) that speak against it.
        allowed: How many may.
        where: Lines with such samples, each in words.
    """

    rule: str
    samples: int
    against: int
    allowed: int = 0
    where: tuple[str, ...] = ()

    @property
    def holds(self) -> bool:
        """Whether the rule holds; one that nothing was tried on does not."""
        return self.samples > 0 and self.against <= self.allowed


def verdicts(lines: Sequence[Line]) -> list[Verdict]:
    """All rules."""
    return [
        *_same_graph(lines),
        *_reference(lines),
        *_default_level(lines),
        _masked(lines),
        *_blocks(lines),
    ]


def is_tie(found: Exceptional) -> bool:
    """Whether rounding explains it: nothing is due, and two scores are next to each other."""
    return "due" not in found.outcomes and found.relative is not None and found.relative <= TIE


def exceptions(lines: Sequence[Line]) -> Iterator[tuple[Line, Pair, Exceptional]]:
    """Samples that are critical or due by `bake` only, or by the other only, default level."""
    for line in lines:
        for pair in line.pairs:
            if line.level == "all" and pair.engines[0] == REFERENCE:
                yield from ((line, pair, found) for found in pair.exceptions)


def _pairs(lines: Sequence[Line], level: str, engines: tuple[str, str]) -> list[tuple[Line, Pair]]:
    return [
        (line, pair)
        for line in lines
        for pair in line.pairs
        if line.level == level and pair.engines == engines
    ]


def _others(lines: Sequence[Line]) -> list[str]:
    return [name for name in SHARED if any(name in line.engines for line in lines)]


def _moved(rule: str, found: list[tuple[Line, Pair]]) -> Verdict:
    return Verdict(
        rule=rule,
        samples=sum(pair.samples for _, pair in found),
        against=sum(pair.moved for _, pair in found),
        where=tuple(
            f"{line.model}, {line.case}: {pair.moved} of {pair.samples:,}, {len(pair.exceptions)}"
            " of them critical or due"
            for line, pair in found
            if pair.moved
        ),
    )


def _same_graph(lines: Sequence[Line]) -> Iterator[Verdict]:
    names = _others(lines)
    for number, one in enumerate(names):
        for other in names[number + 1 :]:
            found = _pairs(lines, "all", (one, other))
            # Products of floats: `cut` keeps the kernel that packs the matrix, as it is deployed.
            asked = [(line, pair) for line, pair in found if not _as_deployed(line, other)]
            yield _moved(f"{one} and {other}: all outcomes, default level", asked)


def _as_deployed(line: Line, engine: str) -> bool:
    """Whether `cut` gives what the reference gives, which another engine may not."""
    wanted = REFERENCE, "cut"
    return engine == "cut" and any(p.engines == wanted and not p.moved for p in line.pairs)


def _reference(lines: Sequence[Line]) -> Iterator[Verdict]:
    for name in _others(lines):
        found = _pairs(lines, "disabled", (REFERENCE, name))
        yield _moved(f"{REFERENCE} and {name}: all outcomes, optimisation disabled", found)


def _default_level(lines: Sequence[Line]) -> Iterator[Verdict]:
    for name in _others(lines):
        found = _pairs(lines, "all", (REFERENCE, name))
        samples = sum(pair.samples for _, pair in found)
        known = [(line, each) for line, pair in found for each in pair.exceptions]
        yield Verdict(
            rule=f"{REFERENCE} and {name}: critical and due but for ties, default level",
            samples=samples,
            against=len(known),
            allowed=int(samples * ALLOWED),
            where=_by_line([line for line, _ in known]),
        )
        yield Verdict(
            rule=f"{REFERENCE} and {name}: what differs is a tie, default level",
            samples=samples,
            against=sum(not is_tie(each) for _, each in known),
            where=_by_line([line for line, each in known if not is_tie(each)]),
        )


def _by_line(lines: Sequence[Line]) -> tuple[str, ...]:
    names = [f"{line.model}, {line.case}" for line in lines]
    return tuple(f"{name}: {names.count(name)}" for name in dict.fromkeys(names))


def _masked(lines: Sequence[Line]) -> Verdict:
    told = [(line, name, tally) for line in lines for name, tally in line.engines.items()]
    return Verdict(
        rule="a sample is masked if, and only if, no bit of its outputs changed",
        samples=sum(sum(tally.outcomes.values()) for _, _, tally in told),
        against=sum(tally.contradictions for _, _, tally in told),
        where=tuple(
            f"{line.model}, {line.case}, {line.level}, {name}: {tally.contradictions}"
            for line, name, tally in told
            if tally.contradictions
        ),
    )


def _blocks(lines: Sequence[Line]) -> Iterator[Verdict]:
    told = [
        (line, name, tally)
        for line in lines
        for name, tally in line.engines.items()
        if tally.block is not None
    ]
    if told:
        yield Verdict(
            rule="a block of scenarios gives the counts of each run alone",
            samples=sum(sum(tally.outcomes.values()) for _, _, tally in told),
            against=sum(tally.block or 0 for _, _, tally in told),
            where=tuple(
                f"{line.model}, {line.case}, {line.level}, {name}: {tally.block} scenarios"
                for line, name, tally in told
                if tally.block
            ),
        )
