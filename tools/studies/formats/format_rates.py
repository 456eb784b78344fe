"""How often does a flipped bit change answers, by number format and field?

The same trained weights in float32, float16, bfloat16, int8 and int4: for each field of each format
a campaign of single flips in the weights, each judged on the labelled images. Every campaign has a
folder of its own, so that the tool can be stopped and started again.

    python tools/studies/formats/format_rates.py                       # both networks
    python tools/studies/formats/format_rates.py --network lenet5_mnist -n 50

Writes one JSON file with every row, and prints the Markdown tables that docs/formats.md quotes.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from types import MappingProxyType

import onnxfi as fi
from onnxfi.bits import format_of

ROOT = Path(__file__).resolve().parents[3]
DATA = MappingProxyType(
    {"resnet8_fashion": "fashion_test1000.npz", "lenet5_mnist": "mnist_test1000.npz"}
)
FILES = MappingProxyType(
    {"fp32": "fp32", "fp16": "fp16", "bf16": "bf16", "int8": "int8_qdq", "int4": "int4"}
)
FLOAT = ("sign", "exponent", "mantissa")
INTEGER = ("sign", "magnitude")
FIELDS = MappingProxyType(
    {"fp32": FLOAT, "fp16": FLOAT, "bf16": FLOAT, "int8": INTEGER, "int4": INTEGER}
)

Rate = tuple[float, float, float]


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """One field of one format.

    Attributes:
        network: The network.
        form: The format of its weights.
        field: The field that is hit.
        bits: Bits of an element that belong to it.
        golden: Fault-free accuracy.
        scenarios: Flips carried out.
        critical: Share of samples that are answered differently, and its interval.
        due: Share of samples with an output that is no finite number.
        failure: Share of flips that cost the network 5 % of its accuracy or more.
    """

    network: str
    form: str
    field: str
    bits: int
    golden: float
    scenarios: int
    critical: Rate
    due: Rate
    failure: Rate


def measure(network: str, form: str, field: str, options: argparse.Namespace) -> Row:
    """Run one campaign, or take up what there is of it."""
    model = ROOT / "models" / f"{network}_{FILES[form]}.onnx"
    inputs = ROOT / "models" / DATA[network]
    campaign = fi.Campaign.create(
        options.folder / network / f"{form}-{field}-{options.scenarios}",
        model=model,
        inputs=inputs,
        targets=("weight",),
        fault_model=fi.BitFlip(bits=field),
        sampler=fi.UniformSampler(n=options.scenarios, seed=5),
        # What int4 weights are widened to is no constant: its products have other last bits alone.
        batch_size=100,
        timeout_s=600,
    )
    campaign.run(workers=options.workers)
    summary = campaign.summary()
    assert summary.golden_accuracy is not None
    site = fi.enumerate_sites(model, targets=("weight",))[0]
    row = Row(
        network=network,
        form=form,
        field=field,
        bits=len(format_of(site.element).bits(field)),
        golden=summary.golden_accuracy,
        scenarios=summary.used,
        critical=_triple(summary.rates["critical_share"]),
        due=_triple(summary.rates["due_share"]),
        failure=_triple(summary.rates["failure"]),
    )
    print(f"{network} {form} {field}: critical {_text(row.critical)}", file=sys.stderr, flush=True)
    return row


def table(rows: Sequence[Row]) -> Iterator[str]:
    """The Markdown of one network."""
    yield "| weights | accuracy | field | bits | critical (95 %) | due | flips that fail (95 %) |"
    yield "|---|---:|---|---:|---:|---:|---:|"
    for row in rows:
        first = row.field == FIELDS[row.form][0]
        form, golden = (row.form, f"{row.golden:.1%}") if first else ("", "")
        yield (
            f"| {form} | {golden} | {row.field} | {row.bits} | {_text(row.critical)} |"
            f" {_short(row.due[0])} | {_text(row.failure)} |"
        )
        if row.field == FIELDS[row.form][-1]:
            yield f"|  |  | *all* | {_width(rows, row.form)} | {_whole(rows, row.form)} |  |  |"


def _whole(rows: Sequence[Row], form: str) -> str:
    """The critical rate of any bit of an element: fields by their number of bits."""
    mine = [row for row in rows if row.form == form]
    return _short(sum(row.bits * row.critical[0] for row in mine) / _width(rows, form))


def _width(rows: Sequence[Row], form: str) -> int:
    return sum(row.bits for row in rows if row.form == form)


def _triple(interval: fi.Interval) -> Rate:
    return interval.value, interval.low, interval.high


def _short(value: float) -> str:
    return f"{100 * value:.2g} %" if value else "0"


def _text(rate: Rate) -> str:
    return f"{_short(rate[0])} ({100 * rate[1]:.2g}–{100 * rate[2]:.2g})"


def main() -> int:
    """Measure, write, print."""
    summary, _, details = (__doc__ or "").partition("\n\n")
    parser = argparse.ArgumentParser(
        description=summary, epilog=details, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--network", action="append", choices=list(DATA), help="may be repeated")
    parser.add_argument("-n", "--scenarios", type=int, default=300, help="flips a field")
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--folder", type=Path, default=ROOT / "runs" / "format_rates")
    parser.add_argument("-o", "--output", type=Path, default=ROOT / "docs" / "formats.json")
    options = parser.parse_args()
    measured: list[Row] = []
    for network in options.network or DATA:
        rows = [measure(network, form, field, options) for form in FILES for field in FIELDS[form]]
        measured += rows
        print(f"### {network}\n\n" + "\n".join(table(rows)) + "\n")
    options.output.write_text(
        json.dumps([asdict(row) for row in measured], indent=1) + "\n", encoding="utf-8"
    )
    return 0


if __name__ == "__main__":
    sys.exit(main())
