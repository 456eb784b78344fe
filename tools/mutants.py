"""Plant known mistakes in onnxfi, one at a time, and see whether the nearest tests notice.

``python tools/mutants.py`` plants every mistake of ``tools/mutation/mutants.toml`` in a copy of the
package, runs the tests named with it, and prints which mistakes were noticed (killed) and which
were not (alive). It exits with 1 if fewer than the share asked for were killed.

    python tools/mutants.py --list
    python tools/mutants.py --only fsync-of-file next-key
    python tools/mutants.py --results mutants.jsonl   # goes on where it was interrupted
"""

from __future__ import annotations

import argparse
import concurrent.futures
import importlib.util
import json
import os
import queue
import shutil
import subprocess
import sys
import tempfile
import time
from dataclasses import asdict, dataclass
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent))

from mutation import Found, Mutant, find, read_mutants

ROOT = Path(__file__).resolve().parent.parent
COPIED = ("onnxfi", "tests", "tools", "docs", "pyproject.toml", "README.md", "CHANGELOG.md")
LINKED = ("models",)
TIMEOUT_S = 600.0
GOAL = 0.95


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """What became of one mutant.

    Attributes:
        name: Its name.
        killed: Whether a test failed.
        by: The first test that did; ``timeout`` if the tests hung.
        seconds: How long they took.
    """

    name: str
    killed: bool
    by: str
    seconds: float


def make_copy(folder: Path) -> Path:
    """A copy of what tests need, which may be changed."""
    for name in COPIED:
        source = ROOT / name
        if source.is_dir():
            ignored = shutil.ignore_patterns("__pycache__", ".*_cache")
            shutil.copytree(source, folder / name, ignore=ignored)
        elif source.exists():
            shutil.copy2(source, folder / name)
    for name in LINKED:
        if (ROOT / name).exists():
            (folder / name).symlink_to(ROOT / name)
    return folder


def try_mutant(found: Found, copy: Path) -> Verdict:
    """Plant one mutant in a copy, run its tests, and take it out again."""
    path = copy / found.path
    before = path.read_text(encoding="utf-8")
    started = time.monotonic()
    try:
        _write(path, found.mutated)
        killed, by = _failing_test(found.mutant, copy)
    finally:
        _write(path, before)
    seconds = round(time.monotonic() - started, 1)
    return Verdict(name=found.mutant.name, killed=killed, by=by, seconds=seconds)


def _write(path: Path, text: str) -> None:
    path.write_text(text, encoding="utf-8")
    # A compiled file is taken for current by the second and the size, both of which may be equal.
    Path(importlib.util.cache_from_source(str(path))).unlink(missing_ok=True)


def _failing_test(mutant: Mutant, copy: Path) -> tuple[bool, str]:
    command = [sys.executable, "-m", "pytest", "-x", "-q", "--no-header", "--tb=no", "-rfE"]
    command += ["-p", "no:cacheprovider", *mutant.tests]
    environment = os.environ | {"PYTHONPATH": str(copy)}
    try:
        done = subprocess.run(
            command,
            cwd=copy,
            env=environment,
            capture_output=True,
            text=True,
            timeout=TIMEOUT_S,
            check=False,
        )
    except subprocess.TimeoutExpired:
        return True, "timeout"
    if done.returncode == 0:
        return False, ""
    marks = ("FAILED ", "ERROR ")
    lines = [line for line in done.stdout.splitlines() if line.startswith(marks)]
    if done.returncode not in (1, 2) or not lines:
        raise RuntimeError(f"{mutant.name}: pytest ended with {done.returncode}:\n{done.stdout}")
    return True, lines[0].split(" ", 1)[1].split(" - ")[0]


def run(found: list[Found], results: Path | None, jobs: int) -> list[Verdict]:
    """Try mutants that have no verdict yet, and return the verdicts of all."""
    known = _known(results)
    verdicts = [known[each.mutant.name] for each in found if each.mutant.name in known]
    left = [each for each in found if each.mutant.name not in known]
    with tempfile.TemporaryDirectory(prefix="onnxfi-mutants-") as name:
        copies: queue.Queue[Path] = queue.Queue()
        for number in range(min(jobs, len(left))):
            folder = Path(name) / str(number)
            folder.mkdir()
            copies.put(make_copy(folder))

        def one(each: Found) -> Verdict:
            copy = copies.get()
            try:
                return try_mutant(each, copy)
            finally:
                copies.put(copy)

        with concurrent.futures.ThreadPoolExecutor(max_workers=jobs) as pool:
            for done in concurrent.futures.as_completed([pool.submit(one, each) for each in left]):
                verdict = done.result()
                verdicts.append(verdict)
                print(_line(verdict), file=sys.stderr, flush=True)
                if results is not None:
                    with results.open("a", encoding="utf-8") as file:
                        file.write(json.dumps(asdict(verdict)) + "\n")
    return verdicts


def _known(results: Path | None) -> dict[str, Verdict]:
    if results is None or not results.exists():
        return {}
    lines = results.read_text(encoding="utf-8").splitlines()
    return {each["name"]: Verdict(**each) for each in map(json.loads, lines)}


def _line(verdict: Verdict) -> str:
    what = f"killed by {verdict.by}" if verdict.killed else "ALIVE"
    return f"{verdict.name}: {what} ({verdict.seconds:.0f} s)"


def main() -> int:
    """Try the mutants asked for; 0 if enough of them were killed."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n\n")[0])
    parser.add_argument("--list", action="store_true", help="only show the mutants")
    parser.add_argument("--only", nargs="+", metavar="NAME", help="mutants to try")
    parser.add_argument("--results", type=Path, help="file of verdicts, to go on from")
    parser.add_argument("--jobs", type=int, default=2, help="mutants to try at a time")
    options = parser.parse_args()
    mutants = read_mutants()
    if options.only:
        unknown = set(options.only) - {mutant.name for mutant in mutants}
        if unknown:
            parser.error(f"no mutant is called {sorted(unknown)[0]!r}; --list shows all")
        mutants = [mutant for mutant in mutants if mutant.name in options.only]
    found = [find(mutant, ROOT / "onnxfi") for mutant in mutants]
    if options.list:
        for each in found:
            print(f"{each.mutant.name}: {each.path} {each.mutant.where}: {each.mutant.why}")
        return 0
    verdicts = run(found, options.results, options.jobs)
    alive = sorted(verdict.name for verdict in verdicts if not verdict.killed)
    share = 1 - len(alive) / len(verdicts)
    print(f"\n{len(verdicts) - len(alive)} of {len(verdicts)} mutants killed ({share:.1%})")
    if alive:
        print(f"alive: {', '.join(alive)}")
    return 0 if share >= GOAL else 1


if __name__ == "__main__":
    sys.exit(main())
