"""Accuracy against bit-error rate: the headline experiment of enpheeph, on shipped models.

Rising bit-error rates are injected into the weights, and into the activations, of ResNet-8 in
fp32 and in int8. Every point is a campaign in a folder of its own, so that the tool can be
stopped and started again. At the low end the curve is compared with a single-fault campaign over
the same fault space: where faults are few, they act one by one.

    python tools/studies/ber_curve/ber_curve.py                       # all four curves
    python tools/studies/ber_curve/ber_curve.py --only int8/weight --scenarios 60 --workers 2

Writes one JSON file with every point, and the Markdown table that the documentation quotes.
"""

from __future__ import annotations

import argparse
import json
import math
import sys
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import onnxfi as fi

ROOT = Path(__file__).resolve().parents[3]
MODELS = {
    "fp32": ROOT / "models" / "resnet8_fashion_fp32.onnx",
    "int8": ROOT / "models" / "resnet8_fashion_int8_qdq.onnx",
}
INPUTS = ROOT / "models" / "fashion_test1000.npz"
#: Stored tensors with the learned numbers; and the tensors that are computed. In the int8 model
#: those are the integers between quantize and dequantize: the floats around them exist in the
#: file only, onnxruntime fuses them into integer kernels.
TARGETS: dict[str, dict[str, Sequence[str]]] = {
    "fp32/weight": {"targets": ("weight", "bias")},
    "fp32/activation": {"targets": ("activation",)},
    "int8/weight": {"targets": ("weight", "bias")},
    "int8/activation": {"targets": ("activation",), "op_types": ("QuantizeLinear",)},
}
DROP_POINTS = 0.40


@dataclass(frozen=True, slots=True, kw_only=True)
class Point:
    """One bit-error rate.

    Attributes:
        ber: Probability that a bit is flipped.
        per_parameter: Probability that an element has a flipped bit, mean over the elements.
        faults: Expected faults a scenario.
        scenarios: Scenarios run.
        accuracy: Mean accuracy and its interval (value, low, high).
        failed_share: Mean share of failed samples, and its interval.
        worst: Accuracy of the worst scenario.
    """

    ber: float
    per_parameter: float
    faults: float
    scenarios: int
    accuracy: tuple[float, float, float]
    failed_share: tuple[float, float, float]
    worst: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Curve:
    """The points of one model and target, beside its single-fault campaign.

    Attributes:
        model: Format of the model.
        target: What is hit.
        golden: Fault-free accuracy.
        bits: Bits that can be hit, of one sample for activations.
        elements: Elements that hold them.
        points: By rising rate.
        single: Failed share of one fault, and its interval.
        first_drop: First rate with a drop of over 40 points of accuracy; None if there is none.
    """

    model: str
    target: str
    golden: float
    bits: int
    elements: int
    points: tuple[Point, ...]
    single: tuple[float, float, float]
    first_drop: float | None


def rates(lowest: float, highest: float, per_decade: int) -> list[float]:
    """Rates at equal ratios, ``per_decade`` to a factor of ten, two digits each."""
    steps = round(math.log10(highest / lowest) * per_decade)
    return [float(f"{lowest * 10 ** (k / per_decade):.2g}") for k in range(steps + 1)]


def triple(interval: fi.Interval) -> tuple[float, float, float]:
    """An interval as value, low, high."""
    return interval.value, interval.low, interval.high


def model_of(name: str) -> Path:
    """The model of a curve."""
    return MODELS[name.split("/")[0]]


def elements_of(name: str) -> list[tuple[int, int]]:
    """(elements, width) of every site that a curve hits."""
    sites = fi.enumerate_sites(model_of(name), inputs=INPUTS, **TARGETS[name])
    known = [(site.layout.elements, site) for site in sites if site.layout is not None]
    return [(count, fi.site_bits(site) // count) for count, site in known]


def run(folder: Path, name: str, sampler: object, workers: int) -> fi.Campaign:
    """Make or resume one campaign of a curve and finish it."""
    campaign = fi.Campaign.create(
        folder, model=model_of(name), inputs=INPUTS, sampler=sampler, **TARGETS[name]
    )
    campaign.run(workers=workers)
    return campaign


def point(campaign: fi.Campaign, ber: float, sizes: list[tuple[int, int]]) -> Point:
    """What a campaign of one rate says."""
    summary = campaign.summary()
    elements = sum(count for count, _ in sizes)
    hit = sum(count * (1 - (1 - ber) ** width) for count, width in sizes)
    assert summary.accuracy is not None
    return Point(
        ber=ber,
        per_parameter=hit / elements,
        faults=ber * sum(count * width for count, width in sizes),
        scenarios=summary.used,
        accuracy=triple(summary.rates["accuracy"]),
        failed_share=triple(summary.rates["failed_share"]),
        worst=summary.accuracy.worst,
    )


def curve(name: str, options: argparse.Namespace) -> Curve:
    """Measure one curve, from rates at which almost nothing is hit until nothing is left."""
    kind, target = name.split("/")
    sizes = elements_of(name)
    bits = sum(count * width for count, width in sizes)
    base = options.folder / name.replace("/", "-")
    first: object = fi.UniformSampler(n=options.single, seed=1)
    single = run(base / "single", name, first, options.workers)
    golden = single.summary().golden_accuracy
    assert golden is not None
    points: list[Point] = []
    # From half a fault a scenario on; the curve ends where accuracy has come down to guessing.
    lowest = float(f"{0.5 / bits:.1g}")
    for ber in rates(lowest, 0.1, options.per_decade):
        count = options.low_scenarios if ber * bits < 1.6 else options.scenarios
        sampler = fi.BitErrorRateSampler(ber=ber, n=count, seed=2)
        campaign = run(base / f"ber-{ber:g}", name, sampler, options.workers)
        points.append(point(campaign, ber, sizes))
        shown = points[-1]
        print(
            f"{name} ber {ber:g}: accuracy {shown.accuracy[0]:.3f} "
            f"({shown.accuracy[1]:.3f}..{shown.accuracy[2]:.3f})",
            file=sys.stderr,
        )
        if shown.accuracy[0] < 0.15:
            break
    drop = next((p.ber for p in points if golden - p.accuracy[0] > DROP_POINTS), None)
    return Curve(
        model=kind,
        target=target,
        golden=golden,
        bits=bits,
        elements=sum(count for count, _ in sizes),
        points=tuple(points),
        single=triple(single.estimate("failed_share")),
        first_drop=drop,
    )


def low_end(measured: Curve) -> list[tuple[Point, float, float, bool]]:
    """Points with few faults beside what the single-fault campaign says about them.

    A scenario at rate p has Binomial(bits, p) faults. If each alone fails a share s of the
    samples and faults act one by one, a sample survives with probability (1 - p s) ** bits, so
    the failed share is 1 - that; it rises with s, so the ends of s give the ends of the
    prediction.

    Returns:
        Point, low and high end of the prediction, and whether the intervals meet.
    """
    found = []
    for each in measured.points:
        if each.faults < 3:
            low, high = (1 - (1 - each.ber * s) ** measured.bits for s in measured.single[1:])
            meets = low <= each.failed_share[2] and each.failed_share[1] <= high
            found.append((each, low, high, meets))
    return found


def table(curves: Sequence[Curve]) -> str:
    """The Markdown that the documentation quotes."""
    lines = []
    for c in curves:
        lines += [
            f"### {c.model}, {c.target} faults",
            "",
            f"{c.bits:,} bits in {c.elements:,} elements; fault-free accuracy {c.golden:.3f}.",
            "",
            "| BER | elements hit | faults a scenario | scenarios | accuracy (95 %) | worst |",
            "|---:|---:|---:|---:|---:|---:|",
        ]
        for p in c.points:
            value, low, high = p.accuracy
            mark = " **first drop over 40 points**" if p.ber == c.first_drop else ""
            lines.append(
                f"| {p.ber:.2g}{mark} | {p.per_parameter:.2g} | {p.faults:,.4g} | {p.scenarios} "
                f"| {value:.3f} ({low:.3f}–{high:.3f}) | {p.worst:.3f} |"
            )
        lines += ["", "Low end against the single-fault campaign (failed share of samples):", ""]
        lines += [
            f"- BER {p.ber:.2g}: measured {p.failed_share[0]:.5f} "
            f"({p.failed_share[1]:.5f}–{p.failed_share[2]:.5f}), predicted {low:.5f}–{high:.5f}: "
            f"{'agree' if meets else 'DIFFER'}"
            for p, low, high, meets in low_end(c)
        ]
        lines.append("")
    return "\n".join(lines)


def main() -> int:
    """Measure, write, and fail if the low end contradicts the single-fault campaign."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    names = list(TARGETS)
    parser.add_argument("--only", action="append", choices=names, help="may be repeated")
    parser.add_argument("--scenarios", type=int, default=40, help="a point, at least 30")
    parser.add_argument("--low-scenarios", type=int, default=400, help="where faults are few")
    parser.add_argument("--single", type=int, default=1000, help="single-fault scenarios")
    parser.add_argument("--per-decade", type=int, default=2, help="points to a factor of ten")
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--folder", type=Path, default=ROOT / "runs" / "ber_curve")
    parser.add_argument("-o", "--output", type=Path, default=ROOT / "docs" / "ber-curve.json")
    options = parser.parse_args()
    if options.scenarios < 30:
        parser.error("a point needs at least 30 scenarios")
    curves = [curve(name, options) for name in options.only or names]
    options.output.write_text(json.dumps([asdict(c) for c in curves], indent=1) + "\n")
    print(table(curves))
    differ = [c for c in curves if not all(meets for *_, meets in low_end(c))]
    return 1 if differ else 0


if __name__ == "__main__":
    sys.exit(main())
