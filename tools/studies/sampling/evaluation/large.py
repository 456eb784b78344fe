"""What the campaigns on a network of some size found, as figures, rows and Markdown tables."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict
from itertools import islice
from pathlib import Path
from typing import Any

import onnxfi as fi
from evaluation.metrics import Range, gain
from evaluation.steps import Cost
from onnxfi.analysis import DomainRow, Interval

FORMAT = "onnxfi-large-network/1"
COLUMNS = ("campaign", "site", "element", "bit", "masked", "tolerable", "critical", "due")
#: Steps as they are called in the tables.
STEPS = {
    "strata": "stratified campaign",
    "sensitivity": "sensitivity, tier 0",
    "top": "faults of highest score",
    "importance": "importance sample",
}
#: Bits that the tables show: the mantissa's are one row.
_LOWEST_BIT = 23
#: Layers shown at either end, of those that at least one in so many injections are in.
_SHOWN, _ENOUGH = 5, 50
_SEVERE = 0.25


def figures(folder: Path, costs: Mapping[str, Cost]) -> dict[str, Any]:
    """All that is told of the campaigns in a folder, as plain values.

    Args:
        folder: With the campaigns ``strata``, ``top`` and ``importance``, and what the step
            ``sensitivity`` printed.
        costs: By step.
    """
    campaigns = {name: fi.Campaign.open(folder / name) for name in ("strata", "top", "importance")}
    strata, top = campaigns["strata"].summary(), campaigns["top"].summary()
    importance = campaigns["importance"].summary()
    every = [_row(name, row) for name, each in campaigns.items() for row in _scenarios(each)]
    assert importance.efficiency is not None
    assert strata.space_size is not None
    found, precision = strata.rates["failure"], top.rates["precision"]
    best = gain(
        Range(value=precision.value, low=precision.low, high=precision.high),
        found,
        size=strata.space_size,
        n=top.used,
    )
    return {
        "format": FORMAT,
        "model": strata.model,
        "model_sha256": strata.model_sha256,
        "sites": strata.sites,
        "faults": strata.space_size,
        "pictures": strata.samples,
        "engine": strata.engine,
        "costs": {name: asdict(cost) for name, cost in costs.items()},
        "sensitivity": _sensitivity(folder / "sensitivity.txt"),
        "strata": {
            "n": strata.used,
            "rates": _rates(strata.rates),
            "fields": _domains(strata.tables["field"].rows),
            "bits": _domains(strata.tables["bit"].rows),
            "tensors": _domains(strata.tables["site"].rows),
        },
        "top": {
            "n": top.used,
            "precision": asdict(precision),
            "severe": severe([row for row in every if row[0] == "top"], strata.samples),
            "gain": asdict(best),
            "bits": _domains(top.tables["bit"].rows),
            "tensors": _domains(top.tables["site"].rows),
        },
        "importance": {
            "n": importance.used,
            "rates": _rates(importance.rates),
            "failures": sum(row.failures for row in importance.tables["bit"].rows),
            "variance_reduction": importance.efficiency.variance_reduction,
            "effective_size": importance.efficiency.effective_size,
        },
        "columns": COLUMNS,
        "rows": every,
    }


def severe(rows: list[list[Any]], pictures: int) -> int:
    """Rows that lose at least a quarter of the pictures' answers."""
    return sum(row[-1] + row[-2] >= _SEVERE * pictures for row in rows)


def written(document: Mapping[str, Any]) -> str:
    """The figures as JSON, each row on a line of its own."""
    head = {name: value for name, value in document.items() if name != "rows"}
    rows = ",\n".join(json.dumps(row) for row in document["rows"])
    return json.dumps(head, indent=1)[:-2] + f',\n "rows": [\n{rows}\n ]\n}}\n'


def _scenarios(campaign: fi.Campaign) -> Iterator[tuple[fi.Scenario, dict[str, Any]]]:
    source = islice(iter(campaign.opened.experiment().source), campaign.opened.total)
    return zip(source, campaign.rows(), strict=True)


def _row(name: str, scenario: tuple[fi.Scenario, dict[str, Any]]) -> list[Any]:
    group, result = scenario[0].groups[0], scenario[1]
    due = sum(result[key] for key in result if key.startswith("due_"))
    counts = [result["masked"], result["tolerable"], result["critical"], due]
    return [name, group.site, int(group.index[0]), int(group.xor_mask[0]).bit_length() - 1, *counts]


def _sensitivity(printed: Path) -> dict[str, Any]:
    document = json.loads(printed.read_text(encoding="utf-8"))
    wanted = ("options", "cost", "expected", "sites", "bits", "notes")
    return {name: document[name] for name in wanted}


def _rates(rates: Mapping[str, Interval]) -> dict[str, Any]:
    return {name: asdict(rate) for name, rate in rates.items()}


def _domains(rows: tuple[DomainRow, ...]) -> list[dict[str, Any]]:
    return [asdict(row) for row in rows]


def markdown(document: Mapping[str, Any]) -> str:
    """The figures as a paragraph and tables."""
    parts = (_setup(document), _rate(document), _found(document), _costs(document))
    return "\n\n".join(parts)


def _setup(document: Mapping[str, Any]) -> str:
    strata, samples = document["strata"], document["sensitivity"]["options"]["samples"]
    return (
        f"{document['faults']:,} single bit flips in {document['sites']} weight tensors; "
        f"{document['pictures']} crops to judge by, {samples} others to measure sensitivity on; "
        f"engine `{document['engine']}`. Of the {strata['n']:,} stratified injections:"
    )


def _rate(document: Mapping[str, Any]) -> str:
    strata, scores = document["strata"], document["sensitivity"]
    expected = {row["key"]: row["failure_rate"] for row in [*scores["sites"], *scores["bits"]]}
    tensors = sorted(strata["tensors"], key=lambda row: (-row["rate"]["value"], row["key"]))
    known = [row for row in tensors if row["n"] >= strata["n"] / _ENOUGH]
    bits = [row for row in strata["bits"][::-1] if int(row["key"]) >= _LOWEST_BIT]
    shown = [("", row) for row in strata["fields"]]
    shown += [("bit ", row) for row in bits]
    shown += [("", row) for row in [*known[:_SHOWN], *known[_SHOWN:][-_SHOWN:]]]
    whole = {
        "key": "**all faults**",
        "n": strata["n"],
        "failures": sum(row["failures"] for row in strata["bits"]),
        "rate": strata["rates"]["failure"],
    }
    expected[whole["key"]] = scores["expected"]["failure_rate"]
    rows = []
    for name, row in [("", whole), *shown]:
        likely = f"{expected[row['key']]:.4f}" if row["key"] in expected else ""
        known_as = f"`{row['key']}`" if row in tensors else f"{name}{row['key']}"
        rows.append((known_as, f"{row['n']:,}", row["failures"], _text(row["rate"]), likely))
    return _table(("hit", "injections", "failed", "failure (95 %)", "the scores expect"), rows)


def _found(document: Mapping[str, Any]) -> str:
    top, importance, rates = document["top"], document["importance"], document["strata"]["rates"]
    best, drawn = top["gain"], importance["rates"]
    rows = [
        (f"precision of the {top['n']} faults of highest score", _text(top["precision"])),
        ("the same, of faults that take a quarter of the answers", top["severe"] / top["n"]),
        ("ratio of that precision to the stratified failure rate", _ratio(best)),
        ("the highest ratio that there can be", _number(best["ceiling"])),
        (f"failure, {document['strata']['n']:,} stratified injections", _text(rates["failure"])),
        (f"failure, {importance['n']} injections by importance", _text(drawn["failure"])),
        ("of them failed", f"{importance['failures']}"),
        ("failure_difference", _text(drawn["failure_difference"])),
        ("failure_bound", _text(drawn["failure_bound"])),
        ("variance reduction that the report states", _number(importance["variance_reduction"])),
    ]
    return _table(("by the scores", "figure (95 %)"), rows)


def _costs(document: Mapping[str, Any]) -> str:
    rows = []
    for name, cost in document["costs"].items():
        runs = document["sensitivity"]["cost"]["runs"] if name == "sensitivity" else None
        count = document[name]["n"] if runs is None else runs
        kind = "injections" if runs is None else "runs"
        seconds = (f"{cost['cpu_s']:.0f}", f"{cost['wall_s']:.0f}", f"{cost['peak_mib']:,.0f}")
        rows.append((STEPS[name], f"{count:,} {kind}", *seconds))
    return _table(("step", "of", "CPU s", "wall s", "peak MiB"), rows)


def _text(rate: Mapping[str, Any]) -> str:
    if rate["low"] == rate["high"]:  # of the scenarios run, all of which are known
        return f"{rate['value']:.4f}"
    return f"{rate['value']:.4f} ({rate['low']:.4f}–{rate['high']:.4f})"


def _ratio(found: Mapping[str, Any]) -> str:
    if found["ratio"] is None:
        return "none"
    return f"{found['ratio']:.1f} ({found['low']:.1f}–{found['high']:.1f})"


def _number(value: float | None) -> str:
    return "none" if value is None else f"{value:.1f}"


def _table(titles: Sequence[str], rows: Sequence[Sequence[Any]]) -> str:
    lines = [titles, [":--", *["--:"] * (len(titles) - 1)], *rows]
    return "\n".join(f"| {' | '.join(map(str, cells))} |" for cells in lines)
