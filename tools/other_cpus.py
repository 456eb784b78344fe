"""Run what depends on the CPU on CPUs without AVX-512 and without AVX, which qemu emulates.

On each: the tests that are marked `cpu`, and campaigns that were begun on this machine, which have
to be refused there. Emulation is about eight times slower than the machine.

    python tools/other_cpus.py                     # both CPUs, all tests marked `cpu`
    python tools/other_cpus.py --cpu Nehalem       # one; `qemu-x86_64 -cpu help` names others
    python tools/other_cpus.py tests/formats       # only tests of a folder

Prints Markdown. Exits with 1 if something did not hold, with 2 if there is no emulator.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

from cpus.answers import Answers
from cpus.emulator import CPUS, ROOT, NoEmulatorError, ensure_emulator, onnxfi, python

_STOPPED_EARLY = 3
_HEAD = """\
| CPU | instruction set | int8 sums | numbers of two int8 models that differ from this machine's |\
 decisions that differ | tests marked `cpu` | a campaign begun here |
|---|---|---|---|---|---|---|"""


def _arguments() -> argparse.Namespace:
    summary, _, details = (__doc__ or "").partition("\n\n")
    parser = argparse.ArgumentParser(
        description=summary, epilog=details, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("tests", nargs="*", default=["tests"], help="files or folders of tests")
    known = "; ".join(f"{name}: {what}" for name, what in CPUS.items())
    parser.add_argument("--cpu", action="append", metavar="NAME", help=f"may be repeated ({known})")
    return parser.parse_args()


def _see(cpu: str | None, folder: Path) -> Answers:
    path = folder / "answers.npz"
    done = python(cpu, "tools/cpus/answers.py", path)
    if done.returncode:
        raise SystemExit(f"{cpu or 'this machine'} runs no model:\n{done.stderr}")
    return Answers.read(path)


def _marked(tests: Sequence[str]) -> list[str]:
    """Files with tests marked `cpu`, found on the machine's own CPU: emulated, it takes minutes."""
    found = python(None, "-m", "pytest", "--collect-only", "-q", "-m", "cpu", *tests)
    files = [line.partition(":")[0] for line in found.stdout.splitlines() if ".py: " in line]
    if not files:
        raise SystemExit(f"no test is marked `cpu`:\n{found.stdout}{found.stderr}")
    return files


def _test(cpu: str, files: Sequence[str]) -> tuple[bool, str]:
    """Whether the marked tests of some files hold on a CPU, and what pytest says in the end."""
    done = python(cpu, "-m", "pytest", "-m", "cpu", "-p", "no:cacheprovider", "-rs", *files)
    if done.returncode:
        print(done.stdout, file=sys.stderr)
    return done.returncode == 0, done.stdout.strip().splitlines()[-1].strip("= ")


def _resumed(cpu: str, graph: str, folder: Path) -> str:
    """What is wrong with resuming a campaign elsewhere than it was begun; empty if nothing is."""
    place = folder / f"{graph}-{cpu}"
    model = ROOT / "models" / "lenet5_mnist_int8_qdq.onnx"
    study = ("--model", model, "--inputs", "random:8:0", "--graph", graph, "-n", 6)
    begun = onnxfi(None, "run", place, *study, "--max-injections", 3)
    if begun.returncode != _STOPPED_EARLY:
        return f"it can't be begun here: {begun.stderr}"
    before = (place / "results.sqlite").read_bytes()
    refused = onnxfi(cpu, "run", place)
    reason = "was made with instruction set" in refused.stderr and "(here it is" in refused.stderr
    if refused.returncode != 1 or not reason:
        return f"it was not refused there (exit code {refused.returncode}): {refused.stderr}"
    if (place / "results.sqlite").read_bytes() != before:
        return "being refused has changed its rows"
    finished = onnxfi(None, "run", place)
    return "" if finished.returncode == 0 else f"it can't go on here: {finished.stderr}"


def _row(cpu: str, here: Answers, files: Sequence[str], folder: Path) -> tuple[str, list[str]]:
    """A line of the table, and what did not hold."""
    there = _see(cpu, folder)
    numbers, decisions, images = here.differing(there)
    held, said = _test(cpu, files)
    wrong = [] if held else [f"tests: {said}"]
    for graph in ("stored", "deployed"):
        trouble = _resumed(cpu, graph, folder)
        wrong += [f"a campaign on the {graph} graph: {trouble}"] if trouble else []
    refused = "refused there" if len(wrong) == (not held) else "**not refused there**"
    cells = (cpu, f"`{there.instruction_set}`", there.int8_arithmetic, f"{numbers:.0%}")
    return " | ".join(("", *cells, f"{decisions} of {images}", said, refused, "")).strip(), wrong


def main() -> int:
    """Go through the CPUs and say by the exit code whether all held."""
    options = _arguments()
    try:
        ensure_emulator()
    except NoEmulatorError as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    wrong: list[str] = []
    with tempfile.TemporaryDirectory() as made:
        folder = Path(made)
        files = _marked(options.tests)
        here = _see(None, folder)
        print(f"This machine: `{here.instruction_set}`, int8 sums {here.int8_arithmetic}.\n")
        print(_HEAD, flush=True)
        for cpu in options.cpu or CPUS:
            row, trouble = _row(cpu, here, files, folder)
            print(row, flush=True)
            wrong += [f"{cpu}: {each}" for each in trouble]
    for line in wrong:
        print(f"\n{line}")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
