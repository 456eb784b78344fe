"""``onnxfi sites``: the list of a model's fault sites."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any

import click

from onnxfi.cli._options import (
    common_options,
    fault_options,
    graph_options,
    inputs_option,
    json_option,
    model_argument,
    site_options,
)

if TYPE_CHECKING:
    from onnxfi.faults import FaultModel, FaultSite
    from onnxfi.report import Page


@click.command(name="sites", short_help="List the fault sites of a model.")
@model_argument
@inputs_option
@graph_options
@site_options
@fault_options
@json_option
@common_options
def command(model: str, inputs: str | None, as_json: bool, **options: Any) -> None:
    """List the fault sites of a model: all kinds, or those chosen with --targets and globs.

    The last column counts the single-fault scenarios of --fault-model. With --json, a header
    line and then one line a site.
    """
    from onnxfi.cli._choose import choose_sites, fault_models
    from onnxfi.cli._output import print_lines, print_page
    from onnxfi.cli._subject import load_subject

    subject = load_subject(model, inputs, options)
    sites = choose_sites(subject, options, ())
    models = fault_models(options)
    if as_json:
        header = {
            "model": model,
            "model_sha256": subject.model.sha256,
            "graph": subject.graph,
            "sites": len(sites),
            "fault_models": [chosen.spec() for chosen in models],
        }
        print_lines("sites", header, _lines(sites, models))
    else:
        print_page(_page(model, sites, models))


def _lines(sites: Sequence[FaultSite], models: Sequence[FaultModel]) -> Iterator[dict[str, Any]]:
    from onnxfi.faults import site_bits

    for site in sites:
        layout = site.layout
        yield {
            "site": site.name,
            "kind": site.kind.value,
            "type": site.element.value,
            "node": site.node,
            "op_type": site.op_type,
            "layer": site.layer,
            "step": site.step,
            "steps": None if layout is None else layout.steps,
            "part": site.part,
            "gate": site.gate,
            "gates": None if site.gates is None else site.gates.names,
            "shape": None if layout is None else layout.shape,
            "batch_axis": None if layout is None else layout.batch_axis,
            "elements": None if layout is None else layout.elements,
            "bits": None if layout is None else site_bits(site),
            "faults": _faults(site, models),
            **({"tied": [step.name for step in site.members]} if site.members else {}),
        }


def _faults(site: FaultSite, models: Sequence[FaultModel]) -> int | None:
    """Single-fault scenarios at a site; None where its run-time shape is not known."""
    if site.layout is None:
        return None
    return sum(model.variants(site) for model in models)


def _page(name: str, sites: Sequence[FaultSite], models: Sequence[FaultModel]) -> Page:
    from onnxfi.report import Column, Page, Row, TableView, count_text, counted

    timed = [
        key for key in ("step", "part") if any(getattr(site, key) is not None for site in sites)
    ]
    texts = ("site", "kind", "type", "layer", "operator", *timed)
    columns = [Column(title=title, number=False) for title in texts]
    columns += [Column(title="shape", number=False), Column(title="bits"), Column(title="faults")]
    rows = []
    for line in _lines(sites, models):
        shape = "?" if line["shape"] is None else "x".join(map(str, line["shape"])) or "scalar"
        numbers = ["?" if n is None else count_text(n) for n in (line["bits"], line["faults"])]
        cells = [line[key] for key in ("site", "kind", "type", "layer", "op_type")]
        cells += ["-" if line[key] is None else str(line[key]) for key in timed]
        rows.append(Row(cells=(*cells, shape, *numbers)))
    known = [line for line in _lines(sites, models) if line["faults"] is not None]
    bits = sum(line["bits"] for line in known)
    faults = sum(line["faults"] for line in known)
    parts = ((len(sites), "site"), (bits, "bit"), (faults, "single fault"))
    note = ", ".join(counted(number, noun) for number, noun in parts)
    if len(known) < len(sites):
        note += "; ? is known only with --inputs"
    table = TableView(title="Fault sites", columns=tuple(columns), rows=tuple(rows), note=note)
    return Page(title=name, facts=(), tables=(table,))
