"""Do the exports of one recurrent network fail alike? The same faults in all of them.

The five ONNX files of silero-vad 6.2.3 hold one voice detector: with and without control flow, with
state in and out or a whole sequence in one run, with an LSTM operator or one written out. The same
bit of the same weight is flipped in each (weights are found by their bits), over whole sequences of
synthetic speech. Critical and due counts must be equal, but for the written-out one where a fault
makes something not finite: with biases, onnxruntime's LSTM makes finite numbers of NaN.

    pip install --no-deps -r requirements-models.txt
    python tools/studies/streams/same_stream.py -n 1000

Exits with 1 if exports with an LSTM operator differ.
"""

from __future__ import annotations

import argparse
import tempfile
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from streams.audio import frames
from streams.compare import Comparison, compare
from streams.exports import EXPORTS, WRITTEN_OUT

import onnxfi as fi

KINDS = ("masked", "tolerable", "critical", "due")


def main() -> int:
    """Compare, print a table, and say by the exit code whether all agree."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n\n")[0])
    parser.add_argument("-n", type=int, default=200, help="faults")
    parser.add_argument("--bits", help="only these, such as 30 or exponent")
    parser.add_argument("--samples", type=int, default=8, help="sequences")
    parser.add_argument("--steps", type=int, default=30)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--workers", type=int, default=1)
    parser.add_argument(
        "--write", type=Path, help="only write the speech, as inputs for the first export (.npz)"
    )
    asked = parser.parse_args()
    speech = frames(asked.samples, asked.steps)
    if asked.write is not None:
        np.savez(asked.write, allow_pickle=False, **EXPORTS[0].inputs(speech))
        return 0
    with tempfile.TemporaryDirectory() as folder:
        found = compare(
            fi.BitFlip(bits=asked.bits),
            fi.UniformSampler(n=asked.n, seed=asked.seed),
            speech,
            Path(folder),
            workers=asked.workers,
        )
    _print(found)
    return 1 if any(set(each.differing()) - {WRITTEN_OUT} for each in found) else 0


def _print(found: list[Comparison]) -> None:
    differing = Counter(name for each in found for name in each.differing())
    print(_line("export", ("faults", *KINDS, "differ")))
    for export in EXPORTS:
        mine = [each.counts[export.name] for each in found if export.name in each.counts]
        sums = [sum(getattr(counts, kind) for counts in mine) for kind in KINDS]
        print(_line(export.name, (len(mine), *sums, differing[export.name])))
    for each in found:
        for name in each.differing():
            first, other = each.counts[EXPORTS[0].name], each.counts[name]
            print(f"{each.site}[{each.element}] bit {each.bit}: {first}, {name}: {other}")


def _line(name: str, cells: Sequence[object]) -> str:
    return f"{name:28}" + "".join(f"{cell:>11}" for cell in cells)


if __name__ == "__main__":
    raise SystemExit(main())
