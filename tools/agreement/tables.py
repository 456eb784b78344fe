"""What the comparison shows, in Markdown."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from agreement.records import Line
from agreement.rules import ALLOWED, REFERENCE, SHARED, exceptions, is_tie, verdicts

_WORDS = ("masked", "tolerable", "critical", "due")
#: Exceptions and places that are listed; the JSON file has all.
_LISTED = 40


def markdown(lines: Sequence[Line]) -> str:
    """Rules, exceptions, and all lines."""
    return "\n".join([*_rules(lines), *_exceptions(lines), *_lines(lines), *_left_out(lines)])


def _rules(lines: Sequence[Line]) -> Iterator[str]:
    yield from ("### Rules", "", "| rule | samples | against | allowed | holds |")
    yield "|---|---:|---:|---:|---|"
    found = verdicts(lines)
    for each in found:
        holds = ("yes" if each.holds else "**no**") if each.samples else "not tried"
        yield f"| {each.rule} | {each.samples:,} | {each.against:,} | {each.allowed:,} | {holds} |"
    yield ""
    for each in found:
        if each.against:
            yield from (f"{each.rule}, against:", "")
            yield from (f"- {place}" for place in each.where[:_LISTED])
            yield from (["- …"] if len(each.where) > _LISTED else [])
            yield ""


def _exceptions(lines: Sequence[Line]) -> Iterator[str]:
    found = list(exceptions(lines))
    samples = sum(
        pair.samples
        for line in lines
        for pair in line.pairs
        if line.level == "all" and pair.engines[0] == REFERENCE
    )
    rate = len(found) / max(samples, 1)
    yield from ("### Samples that are critical or due in one engine only, default level", "")
    yield (
        f"{len(found)} of {samples:,}: a rate of {rate:.1e}, of {ALLOWED:.0e} allowed for each"
        " engine. Margin: smallest distance of the two best scores."
    )
    yield ""
    if not found:
        return
    yield "| model | case | scenario | sample | engines | outcomes | margin | of | tie |"
    yield "|---|---|---:|---:|---|---|---:|---:|---|"
    for line, pair, each in found[:_LISTED]:
        margin = "no number" if each.margin is None else f"{each.margin:.2g}"
        yield (
            f"| {line.model} | {line.case} | {each.scenario} | {each.sample} "
            f"| {', '.join(pair.engines)} | {', '.join(each.outcomes)} "
            f"| {margin} | {each.scale:.3g} | {'yes' if is_tie(each) else '**no**'} |"
        )
    yield from (["", f"… and {len(found) - _LISTED} more"] if len(found) > _LISTED else [])
    yield ""


def _lines(lines: Sequence[Line]) -> Iterator[str]:
    yield from ("### All lines", "")
    heads = ["model", "case", "level", "scenarios", *(f"{w} ({REFERENCE})" for w in _WORDS)]
    others = [name for name in SHARED if any(name in line.engines for line in lines)]
    heads += [f"other than {REFERENCE}: {name}" for name in others]
    yield f"| {' | '.join(heads)} |"
    yield f"|---|---|---|{'---:|' * (len(heads) - 3)}"
    for line in lines:
        told = line.engines[REFERENCE].outcomes
        cells = [line.model, line.case, line.level, f"{line.scenarios:,}"]
        cells += [f"{told.get(word, 0):,}" for word in _WORDS]
        moved = {pair.engines: (pair.moved, len(pair.exceptions)) for pair in line.pairs}
        for name in others:
            differ = moved.get((REFERENCE, name))
            cells.append("-" if differ is None else f"{differ[0]} ({differ[1]})")
        yield f"| {' | '.join(cells)} |"
    yield from ("", "In brackets: those of them that are critical or due in one of the two.", "")


def _left_out(lines: Sequence[Line]) -> Iterator[str]:
    reasons: dict[tuple[str, str], list[str]] = {}
    for line in lines:
        for name, reason in line.left_out.items():
            where = f"{line.model} {line.case} {line.level}"
            reasons.setdefault((name, reason), []).append(where)
    if reasons:
        yield from ("### Not compared", "")
        for (name, reason), places in reasons.items():
            yield f"- {name}: {reason} ({len(places)} lines, the first is {places[0]})"
        yield ""
