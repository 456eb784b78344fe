"""Making truths: stage by stage, so that an interrupted run goes on where it was."""

from __future__ import annotations

import time
import zlib
from collections.abc import Callable, Iterator
from dataclasses import replace
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

PORTION = 5_000  # faults of a sample that are injected together
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
        name: ``uniform-K``, ``closely``, ``bit-B`` or ``sample-B-K``.
        numbers: int64, ascending.
    """

    name: str
    numbers: Numbers


class _Done(NamedTuple):
    drop: NDArray[np.float32]
    seconds: float


def make_truth(
    target: Target, injector: Injector, folder: Path, say: Say, *, coarse: bool = False
) -> Truth:
    """Inject what a target asks for, but for what is there already.

    Args:
        target: The target.
        injector: Carries its faults out.
        folder: Where finished and unfinished stages are kept.
        say: Is told about the progress.
        coarse: Take no more than the first part of what is drawn. The truth holds, with wider
            intervals; made again without, it goes on from there.

    Returns:
        The truth, also written to ``folder``.
    """
    space = injector.space
    parts = folder / f"{target.name}.parts"
    parts.mkdir(parents=True, exist_ok=True)
    done: list[tuple[Stage, _Done]] = []

    def run(stage: Stage) -> bool:
        """Inject a stage; whether any of its faults fails."""
        path = parts / f"{stage.name}.npz"
        found = _run(stage, injector, path, lambda text: say(f"{target.name} {text}"))
        done.append((stage, found))
        return bool((found.drop >= _FAILS).any())

    most = PORTION if coarse else None
    for stage in uniform_stages(target, space, most):
        run(stage)
    uniform = np.sort(np.concatenate([stage.numbers for stage, _ in done]))
    near = close_stage(target, space)
    if len(near.numbers):
        run(near)
    for bit, count in target.sampled.items():
        for stage in _thinned(target, space, bit, count, most):
            run(stage)
    census = []
    for bit in target.census:
        run(Stage(f"bit-{bit}", level(space, bit)))
        census.append(bit)
    clean = None
    for bit in target.downwards:
        census.append(bit)
        if not run(Stage(f"bit-{bit}", level(space, bit))):
            clean = bit
            break
    stages = [stage for stage, _ in done]
    fault, first = np.unique(np.concatenate([s.numbers for s in stages]), return_index=True)
    drop = np.concatenate([found.drop for _, found in done])[first]
    truth = Truth(
        fault=fault,
        drop=drop,
        census_bits=np.array(sorted(census), np.int64),
        close_sites=np.array(_close_sites(target, space), np.str_),
        close_bits=np.array(sorted(target.closely_bits), np.int64),
        sampled_bits=np.array(sorted(target.sampled), np.int64),
        uniform=uniform,
        space=space.size,
        golden=injector.golden,
        skipped_reason="",
        seconds=sum(found.seconds for _, found in done),
    )
    if clean is not None:
        truth = replace(truth, skipped_reason=_reason(truth, space, clean))
    truth.write(folder / f"{target.name}.npz")
    return truth


def is_made(target: Target, folder: Path, *, coarse: bool) -> bool:
    """Whether there is a truth, with all that the target asks for or at least a coarse one."""
    path = folder / f"{target.name}.npz"
    if not path.exists():
        return False
    truth = Truth.read(path)
    return coarse or len(truth.uniform) >= min(target.uniform, truth.space)


def uniform_stages(target: Target, space: FaultSpace, most: int | None = None) -> list[Stage]:
    """Faults drawn from all of a target, by a seed that its name decides, in portions."""
    n = min(target.uniform, space.size)
    numbers = UniformSampler(n=n, seed=_seed(target.name)).fault_numbers(space, 0, n)
    assert numbers is not None  # single faults have numbers
    return _portions("uniform", numbers[:most])


def close_stage(target: Target, space: FaultSpace) -> Stage:
    """All faults of the bits that a target asks for at some sites."""
    found = [np.zeros(0, np.int64)]
    numbers = [level(space, bit) for bit in target.closely_bits]
    places = [site.name for site in space.sites]
    wanted = np.isin(places, _close_sites(target, space))
    found += [each[wanted[space.site_positions(each)]] for each in numbers]
    return Stage("closely", np.sort(np.concatenate(found)))


def _close_sites(target: Target, space: FaultSpace) -> list[str]:
    globs = target.closely
    return [s.name for s in space.sites if any(fnmatchcase(s.name, glob) for glob in globs)]


def _thinned(
    target: Target, space: FaultSpace, bit: int, count: int, most: int | None
) -> list[Stage]:
    order = np.random.default_rng(_seed(f"{target.name} {bit}")).permutation(level(space, bit))
    return _portions(f"sample-{bit}", order[:count][:most])


def _portions(name: str, numbers: Numbers) -> list[Stage]:
    """Numbers in the order drawn, in parts that are each as a sample of its own."""
    return [
        Stage(f"{name}-{start // PORTION}", np.sort(numbers[start : start + PORTION]))
        for start in range(0, len(numbers), PORTION)
    ]


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


def _reason(truth: Truth, space: FaultSpace, clean: int) -> str:
    """Why lower bits than a clean one are taken as harmless; empty if they are not."""
    bits = bits_of(space, truth.fault)
    left_out = np.isin(truth.fault, truth.uniform) & ~np.isin(bits, truth.census_bits)
    if bool((truth.drop[left_out] >= _FAILS).any()):
        return ""
    return (
        f"of bit {clean} every flip was injected and none fails; a flip of a lower bit changes the"
        f" same element by at most half as much; and of {len(truth.uniform)} faults drawn uniformly"
        f" from all, the {int(left_out.sum())} in such bits have no failing one among them"
    )
