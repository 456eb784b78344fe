"""Rows in two tables a reader can take in: a line a target, our scores beside the rivals'."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from evaluation.ours import SENSITIVITY
from evaluation.tables import rate

Row = dict[str, Any]

# What is drawn by its own probabilities, with replacement, as its authors do.
_ISIMDL = ("ISimDL GBIN", "ISimDL GBRN", "ISimDL EBIN", "ISimDL EBRN")
_TAYLOR = ("Taylor", "Taylor, bounded", "Taylor by image", "Taylor by image, bounded")
_RULES, _PROBES = SENSITIVITY[0], SENSITIVITY[1]


def summary(rows: Sequence[Row], drop: float = 0.05) -> str:
    """Failures found in the first 100 injections, and how well rates are known, by target.

    Args:
        rows: All rows.
        drop: The threshold.
    """
    mine = [row for row in rows if row["drop"] == drop]
    targets = list(dict.fromkeys(row["target"] for row in mine))
    found, rates, bounds = [], [], []
    for target in targets:
        of = {(r["task"], r.get("method", "")): r for r in mine if r["target"] == target}
        truth = of["truth", ""]
        if ("discovery", _PROBES) in of and truth["p0"]["value"] > 0:
            found.append(_found(target, truth, of))
        if ("estimation", _PROBES) in of:
            rates.append(_rates(target, of))
        if ("bound", _PROBES) in of:
            bounds.append(_bounds(target, truth, of))
    tables = (_table(_FOUND, found), _table(_RATES, rates), _table(_BOUNDS, bounds))
    return "\n\n".join(tables) + "\n"


_Key = tuple[str, str]
_FOUND = (
    "target",
    "p0",
    "ceiling",
    "rules",
    "probes",
    "top 100",
    "probes, paid",
    "top bit",
    "size of the change",
    "ISimDL",
    "Taylor",
)
_RATES = (
    "target",
    "rules",
    "probes",
    "probes, paid",
    "top bit",
    "ISimDL",
    "coverage, rules",
    "probes",
    "bound",
    "bias",
)
_BOUNDS = ("target", "faults", "injected, none failed", "rules", "probes", "uniform")


def _found(target: str, truth: Row, of: Mapping[_Key, Row]) -> list[str]:
    ours, probes = of["discovery", _RULES], of["discovery", _PROBES]
    p0, paid = truth["p0"]["value"], probes["probes"]
    best = max(of[task, _PROBES]["precision"]["value"] for task in ("discovery", "top"))
    return [
        target,
        rate(truth["p0"], exact=truth["exact"]),
        "-" if _beyond(probes) else _times(probes["gain"]["ceiling"]),
        _gain(ours),
        _gain(probes),
        f"{of['top', _RULES]['precision']['value']:.2f} / "
        f"{of['top', _PROBES]['precision']['value']:.2f}",
        "-" if _beyond(probes) else _times(best * 100 / (100 + paid) / p0),
        _best(of, ("top bit",), "top"),
        _best(of, ("|delta|",), "top"),
        _best(of, _ISIMDL, "draws"),
        _best(of, _TAYLOR, "top"),
    ]


def _rates(target: str, of: Mapping[_Key, Row]) -> list[str]:
    rules, probes = of["estimation", _RULES], of["estimation", _PROBES]
    own = [
        row["variance_reduction"]
        for (task, method), row in of.items()
        if task == "draws" and method.startswith("ISimDL") and row["variance_reduction"]
    ]
    top = of.get(("estimation", "top bit"))
    return [
        target,
        _figure(rules["variance_reduction"]),
        _figure(probes["variance_reduction"]),
        _figure(probes["variance_reduction_paid"]),
        "-" if top is None else _figure(top["variance_reduction"]),
        _figure(max(own)) if own else "-",
        f"{rules['coverage']:.3f}",
        f"{probes['coverage']:.3f}",
        f"{min(rules['bound_coverage'], probes['bound_coverage']):.3f}",
        f"{100 * probes['bias']:+.1f} %",
    ]


def _bounds(target: str, truth: Row, of: Mapping[_Key, Row]) -> list[str]:
    rules, probes = of["bound", _RULES], of["bound", _PROBES]
    ends = (rules["bound"], probes["bound"], probes["uniform_bound"])
    return [
        target,
        f"{truth['faults']:,}",
        f"{truth['injected']:,}",
        *(f"{100 * each:.2g} %" for each in ends),
    ]


def _best(of: Mapping[_Key, Row], names: Sequence[str], task: str) -> str:
    """The best precision among some methods; ``draws``: expected of their own draws."""
    rows = [of[task, name] for name in names if (task, name) in of]
    if not rows:
        return "-"
    if task == "draws":
        return f"{max(row['expected'] for row in rows):.2f}"
    return f"{max(row['precision']['value'] for row in rows):.2f}"


def _gain(row: Row) -> str:
    """Precision, and how many times that of chance it is."""
    ratio = None if _beyond(row) else row["gain"]["ratio"]
    return f"{row['precision']['value']:.2f} ({_times(ratio)})"


def _beyond(row: Row) -> bool:
    """Whether more was found than the truth's sample let expect: there is no ratio to a guess."""
    ratio, ceiling = row["gain"]["ratio"], row["gain"]["ceiling"]
    return ratio is not None and ceiling is not None and ratio > 1.001 * ceiling


def _times(value: float | None) -> str:
    return "-" if value is None else f"{_figure(value)}×"


def _figure(value: float) -> str:
    """Three digits that mean something, without an exponent."""
    return f"{value:.3g}" if value < 1000 else f"{float(f'{value:.3g}'):,.0f}"


def _table(head: Sequence[str], lines: Sequence[Sequence[str]]) -> str:
    text = [head, ["---"] * len(head), *lines]
    return "\n".join(f"| {' | '.join(line)} |" for line in text)
