"""The methods that are compared: scores of faults, and what they cost."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase
from pathlib import Path

import numpy as np

from evaluation.baselines import Rival, rivals
from evaluation.bench import find_file
from evaluation.ours import SAMPLES, SENSITIVITY, sensitivity
from evaluation.population import Values
from evaluation.subject import subject
from evaluation.targets import Target
from evaluation.truth import Numbers
from onnxfi.errors import ConfigError
from onnxfi.faults import FaultSpace
from onnxfi.sampling import ArrayScores, Scores


@dataclass(frozen=True, slots=True, kw_only=True)
class Method:
    """A way to choose faults.

    Attributes:
        name: What tables call it.
        scores: How likely each fault is to fail.
        probe_inferences: Samples that were run to get the scores.
        draws: Whether it is a sampler of its own, that draws faults with replacement in proportion
            to its scores; else it gives scores, for the package's sampler.
    """

    name: str
    scores: Scores
    probe_inferences: int = 0
    draws: bool = False


# Rules that are distributions over faults: they are samplers of their own, too.
_DISTRIBUTIONS = frozenset(
    ("population-uniform", "layer-uniform", "linear bits", "exponential bits", "top bit")
)


def from_rival(rival: Rival, space: FaultSpace) -> Method:
    """A rival as a method; what its gradients cost is not counted."""
    return Method(
        name=rival.name,
        scores=ArrayScores.read(rival.scores(), {site.name: site for site in space.sites}),
        draws=rival.draws is not None or rival.name in _DISTRIBUTIONS,
    )


def from_file(name: str, folder: Path, target: Target, space: FaultSpace) -> Method | None:
    """Scores of a ``.npz`` file that is named like the target; None if there is none.

    Beside ``TARGET.npz``, as the package reads scores, ``TARGET.json`` may say
    ``{"probe_inferences": N, "draws": true}``.

    Args:
        name: Of the method.
        folder: Where such files are.
        target: The target.
        space: Its faults.
    """
    path = folder / f"{target.name}.npz"
    if not path.is_file():
        return None
    sites = {site.name: site for site in space.sites}
    with np.load(path, allow_pickle=False) as data:
        scores = ArrayScores.read({key: data[key] for key in data.files if key in sites}, sites)
    missing = sites.keys() - scores.arrays.keys()
    if missing:
        raise ConfigError(f"{path} has no scores for site {sorted(missing)[0]!r}")
    beside = path.with_suffix(".json")
    told = json.loads(beside.read_text()) if beside.is_file() else {}
    return Method(
        name=name,
        scores=scores,
        probe_inferences=int(told.get("probe_inferences", 0)),
        draws=bool(told.get("draws", False)),
    )


def scores_at(space: FaultSpace, scores: Scores, numbers: Numbers) -> Values:
    """Scores of some faults, float64 (n,).

    Args:
        space: The fault space; enumerable.
        scores: The scores.
        numbers: int64 (n,).
    """
    starts = np.array([segment.start for segment in space.segments])
    home = np.searchsorted(starts, numbers, side="right") - 1
    found = np.zeros(len(numbers))
    never = np.random.default_rng(0)  # enumerable models draw nothing
    for place, segment in enumerate(space.segments):
        mine = np.flatnonzero(home == place)
        site, faults = space.sites[segment.site], space.models[segment.model]
        columns = faults.columns(site, numbers[mine] - segment.start, never)
        found[mine] = scores.of(site, columns, len(mine))
    return found


@dataclass(frozen=True, slots=True, kw_only=True)
class Sources:
    """Where methods come from.

    Attributes:
        gradients: Folder of files of ``eval_gradients.py``; None to leave gradient methods
            out.
        files: Names of methods, and the folders of their scores.
        only: Globs of names of methods, by commas.
        samples: Calibration images of the package's own scores; each number is a method.
    """

    gradients: Path | None = None
    files: Sequence[tuple[str, Path]] = ()
    only: str = "*"
    samples: Sequence[int] = (SAMPLES,)


def methods(
    target: Target, folders: Sequence[Path], space: FaultSpace, sources: Sources
) -> Iterator[Method]:
    """All methods that can say something about a target, one at a time: scores may be large.

    Args:
        target: The target.
        folders: Where models and test sets are.
        space: Its faults.
        sources: Where methods come from.
    """
    model = find_file(f"{target.model}.onnx", folders)
    for tier, known in SENSITIVITY.items():
        for samples in sources.samples:
            name = known if samples == SAMPLES else f"{known}, {samples} images"
            if _wanted(name, sources.only):
                scores, inferences = sensitivity(target, folders, tier, samples)
                yield Method(name=name, scores=scores, probe_inferences=inferences)
    gradients = None if sources.gradients is None else sources.gradients / f"{target.model}.npz"
    if gradients is not None and not gradients.is_file():
        gradients = None
    for rival in rivals(subject(model, space, gradients)):
        if _wanted(rival.name, sources.only):
            yield from_rival(rival, space)
    for name, folder in sources.files:
        found = from_file(name, folder, target, space) if _wanted(name, sources.only) else None
        if found is not None:
            yield found


def _wanted(name: str, only: str) -> bool:
    return any(fnmatchcase(name, glob) for glob in only.split(","))
