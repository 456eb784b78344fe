"""``onnxfi inspect``: what a model is made of, and how much of it can be faulted."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any

import click

from onnxfi.cli._contents import (
    SiteTally,
    bits_facts,
    stored_bits,
    tally_left_out,
    time_document,
    time_view,
    zeros_by_group,
    zeros_document,
    zeros_view,
)
from onnxfi.cli._options import (
    common_options,
    graph_options,
    inputs_option,
    json_option,
    model_argument,
)

if TYPE_CHECKING:
    from onnxfi.cli._subject import LoadedModel
    from onnxfi.faults import FaultSite
    from onnxfi.graph import Model, TensorSpec
    from onnxfi.report import Fact, TableView


@click.command(name="inspect", short_help="Show a model's inputs, operators and fault sites.")
@model_argument
@inputs_option
@graph_options
@json_option
@common_options
def command(model: str, inputs: str | None, as_json: bool, **options: Any) -> None:
    """Show a model's inputs, outputs, operators and fault sites, and what is left out and why."""
    from onnxfi.cli._output import print_document
    from onnxfi.cli._subject import load_subject

    subject = load_subject(model, inputs, options)
    if as_json:
        print_document("inspect", _document(subject))
    else:
        _print(subject)


def _document(subject: LoadedModel) -> dict[str, Any]:
    from onnxfi.graph import operators

    model = subject.model
    covered, in_file = stored_bits(subject)
    zeros = zeros_by_group(subject)
    return {
        "model": model.source,
        "model_sha256": model.sha256,
        "graph": subject.graph,
        "opset": model.opset,
        "ir_version": model.ir_version,
        "node_names": {
            "shared": dict(model.anonymous.shared),
            "unnamed": model.anonymous.unnamed,
        },
        "inputs": [_spec(spec) for spec in model.inputs],
        "outputs": [_spec(spec) for spec in model.outputs],
        "operators": dict(operators(model).most_common()),
        "sites": [
            {
                "kind": kind,
                "op_type": op_type,
                **_tally(tally),
                "zeros": zeros.get((kind, op_type)),
            }
            for (kind, op_type), tally in tally_sites(subject.table.sites).items()
        ],
        "stored_bits": {
            "covered": covered,
            "in_file": in_file,
            "share": covered / in_file if in_file else None,
        },
        "left_out": [
            {
                "reason": reason,
                "count": tally.tensors,
                "elements": None if tally.unknown else tally.elements,
                "stored_bits": tally.bits,
                "names": names,
            }
            for reason, (tally, names) in tally_left_out(subject).items()
        ],
        "zero_weights": zeros_document(subject),
        "time": time_document(subject.table.sites),
        "profile": _profile(subject),
    }


def _spec(spec: TensorSpec) -> dict[str, Any]:
    return {
        "name": spec.name,
        "kind": spec.kind,
        "type": None if spec.element is None else spec.element.value,
        "shape": spec.shape,
    }


def _tally(tally: SiteTally) -> dict[str, int | None]:
    known = tally.unknown == 0
    return {
        "count": tally.tensors,
        "elements": tally.elements if known else None,
        "bits": tally.bits if known else None,
    }


def _profile(subject: LoadedModel) -> dict[str, Any] | None:
    profile, workload = subject.profile, subject.workload
    if profile is None or workload is None:
        return None
    from onnxfi.workload import sample_text

    return {
        "samples": workload.samples,
        "sample": sample_text(workload, profile.outputs),
        "reading": workload.reading.texts(),
        "labels": workload.labels is not None,
        "batch_size": profile.batch_size,
        "rows_independent": profile.rows_independent,
        "fixed_batch": profile.fixed_batch,
        "reason": profile.reason,
    }


def tally_sites(sites: tuple[FaultSite, ...]) -> dict[tuple[str, str], SiteTally]:
    """Sites by kind and operator, in order of first appearance within their kind."""
    from onnxfi.bits import format_of
    from onnxfi.faults import SiteKind

    tallies: dict[tuple[str, str], SiteTally] = defaultdict(SiteTally)
    for site in sites:
        tally = tallies[site.kind.value, site.op_type]
        tally.tensors += 1
        if site.layout is None:
            tally.unknown += 1
        else:
            tally.elements += site.layout.elements
            tally.bits += site.layout.elements * format_of(site.element).width
    kinds = [kind.value for kind in SiteKind]
    return dict(sorted(tallies.items(), key=lambda item: kinds.index(item[0][0])))


def _print(subject: LoadedModel) -> None:
    from onnxfi.cli._output import print_page
    from onnxfi.graph import operators
    from onnxfi.report import Fact, Page

    model = subject.model
    counted = operators(model).most_common()
    facts = [
        Fact(label="sha256", text=model.sha256),
        Fact(label="opset", text=f"{model.opset} (IR version {model.ir_version})"),
        Fact(label="operators", text=", ".join(f"{name} {count}" for name, count in counted)),
        *_names_facts(model),
        *bits_facts(subject),
    ]
    facts += [Fact(label=f"input {spec.name}", text=_spec_text(spec)) for spec in model.inputs]
    facts += [Fact(label=f"output {spec.name}", text=_output_text(spec)) for spec in model.outputs]
    profile = _profile(subject)
    if profile is not None:
        text = f"{profile['samples']} samples, batch {profile['batch_size']} ({profile['reason']})"
        facts.append(Fact(label="inputs", text=text))
        facts.append(Fact(label="a sample", text=profile["sample"]))
    tables = (
        _sites_view(subject),
        time_view(subject.table.sites),
        zeros_view(subject),
        _left_out_view(subject),
    )
    shown = tuple(table for table in tables if table is not None and table.rows)
    print_page(Page(title=model.source, facts=tuple(facts), tables=shown))


def _names_facts(model: Model) -> Iterator[Fact]:
    """How nodes are called that the file does not tell apart."""
    from onnxfi.report import Fact, counted

    said = []
    if model.anonymous.shared:
        sharing = sum(count for _, count in model.anonymous.shared)
        first, _ = model.anonymous.shared[0]
        said.append(
            f"{counted(sharing, 'node')} share {counted(len(model.anonymous.shared), 'name')};"
            f" in file order they are {first}, {first}#2 and so on"
        )
    if model.anonymous.unnamed:
        said.append(
            f"{counted(model.anonymous.unnamed, 'node')} without a name, called by operator and"
            f" place: Conv#3 is the third Conv in file order"
        )
    if said:
        yield Fact(label="node names", text="; ".join(said))


def _output_text(spec: TensorSpec) -> str:
    whole = "" if spec.kind == "tensor" else ", compared as one array"
    return f"{_spec_text(spec)}{whole}"


def _spec_text(spec: TensorSpec) -> str:
    if spec.kind != "tensor" and spec.element is None:
        return spec.kind  # of maps, or of whatever else
    element = "unknown type" if spec.element is None else spec.element.value
    kind = "" if spec.kind == "tensor" else f"{spec.kind} of "
    if spec.shape is None:
        return f"{kind}{element}"
    dims = ", ".join("?" if dim is None else str(dim) for dim in spec.shape)
    return f"{kind}{element} [{dims}]"


def _sites_view(subject: LoadedModel) -> TableView:
    from onnxfi.report import Column, Row, TableView

    tallies = tally_sites(subject.table.sites)
    zeros = zeros_by_group(subject)
    unknown = any(tally.unknown for tally in tallies.values())
    return TableView(
        title="Fault sites by kind and operator",
        columns=(
            Column(title="kind", number=False),
            Column(title="operator", number=False),
            *(Column(title=title) for title in ("sites", "elements", "bits", "zero")),
        ),
        rows=tuple(
            Row(cells=(key[0], key[1] or "-", *tally.texts(), _zero_text(tally, zeros, key)))
            for key, tally in tallies.items()
        ),
        note="? is known only with --inputs" if unknown and subject.profile is None else "",
    )


def _zero_text(tally: SiteTally, zeros: Mapping[tuple[str, str], int], key: tuple[str, str]) -> str:
    from onnxfi.report import share_text

    return share_text(zeros[key], tally.elements) if key in zeros else "-"


def _left_out_view(subject: LoadedModel) -> TableView:
    from onnxfi.report import Column, Row, TableView

    return TableView(
        title="Left out",
        columns=(
            Column(title="why", number=False),
            *(Column(title=title) for title in ("tensors", "elements", "stored bits")),
            Column(title="such as", number=False),
        ),
        rows=tuple(
            Row(cells=(reason, *tally.texts()[:2], f"{tally.bits:,}", ", ".join(names)))
            for reason, (tally, names) in tally_left_out(subject).items()
        ),
    )
