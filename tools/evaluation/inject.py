"""Making truths: stage by stage, so that an interrupted run goes on where it was."""

from __future__ import annotations

import time
import zlib
from collections.abc import Callable, Iterator
from fnmatch import fnmatchcase
from pathlib import Path
from typing import NamedTuple, Protocol

import numpy as np
from numpy.typing import NDArray

from evaluation.targets import Target
from evaluation.truth import Numbers, Truth, bits_of, level
from onnxfi.faults import FaultSpace
from onnxfi.files import atomic_file
from onnxfi.sampling import UniformSampler

_SAVE_S = 20.0
_FAILS = 0.05

Say = Callable[[str], None]


class Injector(Protocol):
    """What carries faults out."""

    space: FaultSpace
    golden: int

    def drops(self, numbers: Numbers) -> Iterator[NDArray[np.float32]]:
        """Relative accuracy drops, some at a time."""
        ...


class Stage(NamedTuple):
    """Faults that are injected together.

    Attributes:
        name: ``uniform``, ``closely``, ``bit-B`` or ``sample-B``.
        numbers: int64, ascending.
    """

    name: str
    numbers: Numbers


class _Done(NamedTuple):
    drop: NDArray[np.float32]
    seconds: float


def make_truth(target: Target, injector: Injector, folder: Path, say: Say) -> Truth:
    """Inject what a target asks for, but for what is there already.

    Args:
        target: The target.
        injector: Carries its faults out.
        folder: Where finished and unfinished stages are kept.
        say: Is told about the progress.

    Returns:
        The truth, also written to ``folder``.
    """
    space = injector.space
    parts = folder / f"{target.name}.parts"
    parts.mkdir(parents=True, exist_ok=True)
    done: dict[str, tuple[Stage, _Done]] = {}

    def run(stage: Stage) -> bool:
        """Inject a stage; whether any of its faults fails."""
        path = parts / f"{stage.name}.npz"
        found = _run(stage, injector, path, lambda text: say(f"{target.name} {text}"))
        done[stage.name] = stage, found
        return bool((found.drop >= _FAILS).any())

    run(uniform_stage(target, space))
    census = []
    for bit in target.census:
        run(Stage(f"bit-{bit}", level(space, bit)))
        census.append(bit)
    near = close_stage(target, space)
    if len(near.numbers):
        run(near)
    for bit, count in target.sampled.items():
        run(_thinned(target, space, bit, count))
    clean = None
    for bit in target.downwards:
        census.append(bit)
        if not run(Stage(f"bit-{bit}", level(space, bit))):
            clean = bit
            break
    stages = [stage for stage, _ in done.values()]
    fault, first = np.unique(np.concatenate([s.numbers for s in stages]), return_index=True)
    drop = np.concatenate([found.drop for _, found in done.values()])[first]
    truth = Truth(
        fault=fault,
        drop=drop,
        census_bits=np.array(sorted(census), np.int64),
        close_sites=np.array(_close_sites(target, space), np.str_),
        close_bits=np.array(sorted(target.closely_bits), np.int64),
        sampled_bits=np.array(sorted(target.sampled), np.int64),
        uniform=done["uniform"][0].numbers,
        space=space.size,
        golden=injector.golden,
        skipped_reason="" if clean is None else _reason(space, clean, census, done["uniform"]),
        seconds=sum(found.seconds for _, found in done.values()),
    )
    truth.write(folder / f"{target.name}.npz")
    return truth


def uniform_stage(target: Target, space: FaultSpace) -> Stage:
    """Faults drawn from all of a target, by a seed that its name decides."""
    n = min(target.uniform, space.size)
    return Stage("uniform", _drawn(space, n, _seed(target.name)))


def close_stage(target: Target, space: FaultSpace) -> Stage:
    """All faults of the bits that a target asks for at some sites."""
    found = [np.zeros(0, np.int64)]
    numbers = [level(space, bit) for bit in target.closely_bits]
    places = [site.name for site in space.sites]
    wanted = np.isin(places, _close_sites(target, space))
    found += [each[wanted[space.homes(each)]] for each in numbers]
    return Stage("closely", np.sort(np.concatenate(found)))


def _close_sites(target: Target, space: FaultSpace) -> list[str]:
    globs = target.closely
    return [s.name for s in space.sites if any(fnmatchcase(s.name, glob) for glob in globs)]


def _thinned(target: Target, space: FaultSpace, bit: int, count: int) -> Stage:
    numbers = level(space, bit)
    rng = np.random.default_rng(_seed(f"{target.name} {bit}"))
    kept = rng.choice(len(numbers), min(count, len(numbers)), replace=False)
    return Stage(f"sample-{bit}", np.sort(numbers[kept]))


def _drawn(space: FaultSpace, n: int, seed: int) -> Numbers:
    numbers = UniformSampler(n=n, seed=seed).fault_numbers(space, 0, n)
    assert numbers is not None  # single faults have numbers
    return np.sort(numbers)


def _seed(text: str) -> int:
    return zlib.crc32(text.encode())


def _run(stage: Stage, injector: Injector, path: Path, say: Say) -> _Done:
    """Drops of a stage's faults. Those of the first ones may be in a file already."""
    numbers = stage.numbers
    drop, seconds = np.zeros(0, np.float32), 0.0
    if path.exists():
        with np.load(path, allow_pickle=False) as data:
            drop, seconds = data["drop"], float(data["seconds"])
    if len(drop) == len(numbers):
        return _Done(drop, seconds)
    found, saved = [drop], time.monotonic()
    begun, had = time.process_time(), len(drop)
    count = had
    for part in injector.drops(numbers[had:]):
        found.append(part)
        count += len(part)
        if time.monotonic() - saved > _SAVE_S or count == len(numbers):
            spent = time.process_time() - begun
            _save(path, np.concatenate(found), seconds + spent)
            saved = time.monotonic()
            each = spent / (count - had)
            say(
                f"{stage.name}: {count:,} of {len(numbers):,}, {1e3 * each:.2f} ms a fault,"
                f" {each * (len(numbers) - count):.0f} s of CPU time left"
            )
    return _Done(np.concatenate(found), seconds + time.process_time() - begun)


def _save(path: Path, drop: NDArray[np.float32], seconds: float) -> None:
    with atomic_file(path) as file:
        np.savez(file, allow_pickle=False, drop=drop, seconds=seconds)


def _reason(space: FaultSpace, clean: int, census: list[int], uniform: tuple[Stage, _Done]) -> str:
    """Why lower bits than a clean one are taken as harmless; empty if they are not."""
    stage, found = uniform
    left_out = ~np.isin(bits_of(space, stage.numbers), census)
    if bool((found.drop[left_out] >= _FAILS).any()):
        return ""
    return (
        f"of bit {clean} every flip was injected and none fails; a flip of a lower bit changes the"
        f" same element by at most half as much; and of {len(stage.numbers)} faults drawn uniformly"
        f" from all, the {int(left_out.sum())} in such bits have no failing one among them"
    )
