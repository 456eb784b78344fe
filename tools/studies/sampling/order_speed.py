"""How long it takes to order the faults of a large space, and how much memory.

The first faults of the priority order and of the top by score, with scores by element, by element
and bit (float32 arrays), and by a function. Each case has a process of its own, on one core; its
memory is the most that the process ever held, the arrays of scores within it.

    python tools/studies/sampling/order_speed.py                # 10^9 faults: 10 minutes
    python tools/studies/sampling/order_speed.py --faults 1e7   # a look

Prints a Markdown table.
"""

from __future__ import annotations

import argparse
import resource
import sys
import time
from multiprocessing import get_context
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from onnxfi.bits import ElementType
from onnxfi.faults import BitFlip, FaultSite, FaultSpace, SampleLayout, SiteKind
from onnxfi.sampling import (
    ArrayScores,
    FunctionScores,
    Mixture,
    Scores,
    priority_order,
    top_order,
)

KINDS = {
    "element": "array, a number an element",
    "bit": "array, a number a bit of each element",
    "function": "function of element and bit",
}
ORDERS = ("importance", "top")
BITS = 32


class Measured(NamedTuple):
    """What a case took."""

    seconds: float
    peak_bytes: int
    scores_bytes: int


def space_of(faults: int) -> FaultSpace:
    """A space of bit flips in one float32 tensor."""
    layout = SampleLayout(shape=(max(1, faults // BITS),), batch_axis=None)
    site = FaultSite(
        name="weight",
        kind=SiteKind.WEIGHT,
        element=ElementType.FLOAT,
        node="conv",
        op_type="Conv",
        layer="conv",
        layout=layout,
    )
    return FaultSpace([site], [BitFlip()])


def scores_of(kind: str, space: FaultSpace) -> tuple[Scores, int]:
    """Scores of a kind, and the bytes that they hold."""
    (site,) = space.sites
    if kind == "function":
        return FunctionScores(function=_function, name="order_speed"), 0
    elements = space.size // BITS
    shape = (elements,) if kind == "element" else (elements, BITS)
    values = np.random.default_rng(0).random(shape, np.float32)
    return ArrayScores.read({site.name: values}, {site.name: site}), values.nbytes


def measure(order: str, kind: str, faults: int, n: int) -> Measured:
    """Order a space once."""
    space = space_of(faults)
    scores, held = scores_of(kind, space)
    started = time.perf_counter()
    if order == "importance":
        found = priority_order(space, scores, Mixture(), n=n, seed=1).numbers
    else:
        found = top_order(space, scores, n=n, seed=1).numbers
    seconds = time.perf_counter() - started
    assert len(np.unique(found)) == n
    # Kilobytes, but bytes on macOS.
    unit = 1 if sys.platform == "darwin" else 1024
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit
    return Measured(seconds, peak, held)


def _function(
    site: FaultSite, index: NDArray[np.int64], bit: NDArray[np.int64]
) -> NDArray[np.float64]:
    """As scores by rule are: what the bit does to a value, times something of the element."""
    del site
    return np.ldexp(1.0, bit - BITS) * (1 + index % 7)


def main(arguments: list[str] | None = None) -> int:
    """Measure all cases and print a table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--faults", type=float, default=1e9, help="faults of the space")
    parser.add_argument("-n", type=int, default=10_000, help="scenarios to draw")
    options = parser.parse_args(arguments)
    faults = max(1, int(options.faults) // BITS) * BITS
    print(f"{faults:,} faults, {options.n:,} scenarios\n")
    print("| order | scores | time | a fault | peak memory | of it scores |")
    print("|---|---|---|---|---|---|")
    for order in ORDERS:
        for kind, text in KINDS.items():
            with get_context("spawn").Pool(1) as pool:
                found = pool.apply(measure, (order, kind, faults, options.n))
            nanoseconds = found.seconds / faults * 1e9
            cells = (
                f"{found.seconds:.1f} s",
                f"{nanoseconds:.0f} ns",
                f"{found.peak_bytes / 2**20:,.0f} MiB",
                f"{found.scores_bytes / 2**20:,.0f} MiB",
            )
            print(f"| {order} | {text} | {' | '.join(cells)} |", flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
