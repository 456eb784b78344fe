"""The figures of pruned networks as Markdown."""

from __future__ import annotations

from collections.abc import Sequence

from pruning.measure import Measured, Triple

_SHARES = ("silently wrong", "detectable")


def markdown(found: Sequence[Measured]) -> str:
    """Three tables: single flips, single flips by what they hit, and bit-error rates."""
    parts = [
        "### Single flips\n",
        _table(
            ("network", "hit", "bits", "accuracy", "failure", *_SHARES, "bits that fail"),
            [_single(each) for each in found],
        ),
        "\n### Single flips by the number that they hit\n",
        _table(
            ("network", "hit", "what", "flips", "failure", "failed share"),
            [row for each in found for row in _by_number(each)],
        ),
        "\n### Accuracy under bit-error rates\n",
        _table(
            ("network", "hit", *_rates(found)),
            [_accuracies(each) for each in found],
        ),
    ]
    return "\n".join(parts)


def _table(columns: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    rule = [":--", ":--", *("--:" for _ in columns[2:])]
    return "\n".join(f"| {' | '.join(row)} |" for row in (columns, rule, *rows))


def _single(each: Measured) -> list[str]:
    rates = (each.failure, each.critical_share, each.due_share)
    cells = [f"{each.bits:,}", f"{each.golden:.3f}", *map(_interval, rates)]
    # Upsets come in proportion to the bits, so this is what a file is worse or better by.
    return [each.network, each.name, *cells, f"{each.failure[0] * each.bits:,.0f}"]


def _by_number(each: Measured) -> list[list[str]]:
    return [
        [
            each.network,
            each.name,
            group.name,
            f"{group.n:,}",
            _interval(group.failure),
            f"{group.failed_share:.4f}",
        ]
        for group in each.groups
    ]


def _rates(found: Sequence[Measured]) -> list[str]:
    return [f"BER {point.ber:g}" for point in found[0].points] if found else []


def _accuracies(each: Measured) -> list[str]:
    cells = [f"{_interval(p.accuracy, 3)}, {p.flips:,.3g} flips" for p in each.points]
    return [each.network, each.name, *cells]


def _interval(triple: Triple, digits: int = 4) -> str:
    value, low, high = triple
    return f"{value:.{digits}f} ({low:.{digits}f}–{high:.{digits}f})"
