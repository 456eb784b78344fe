"""Samplers of settings, those among them that need a file of scores."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from onnxfi.errors import ConfigError
from onnxfi.faults import FaultSpace
from onnxfi.sampling import SCORED, ArrayScores, Sampler, from_recipe


def sampler_of(recipe: Mapping[str, Any], space: FaultSpace) -> Sampler:
    """The sampler of a recipe, for a space.

    Args:
        recipe: As `from_recipe` takes it; that of a sampler by scores may name their file
            (``scores``: a ``.npz`` with an array a site, one number an element or a bit). A
            ``pilot`` is left alone: its rates are in the recipe.
        space: What can be hit.

    Raises:
        ConfigError: The recipe is wrong, or the scores are missing or don't fit the space.
    """
    values = dict(recipe)
    path, _ = values.pop("scores", None), values.pop("pilot", None)
    kind = values.get("kind")
    if kind not in SCORED:
        return from_recipe(values)
    if path is None:
        raise ConfigError(f"sampler {kind} needs scores; give a file with --scores")
    values.pop("kind")
    scores = _read(Path(path), space)
    try:
        return SCORED[str(kind)](scores=scores, **values)
    except TypeError as error:
        raise ConfigError(f"the {kind} sampler can't be made: {error}") from None


def _read(path: Path, space: FaultSpace) -> ArrayScores:
    sites = {site.name: site for site in space.sites}
    try:
        with np.load(path, allow_pickle=False) as file:
            arrays = {name: file[name] for name in file.files if name in sites}
            named = list(file.files)
    except FileNotFoundError:
        raise ConfigError(f"there is no file of scores {str(path)!r}") from None
    except (OSError, ValueError, AttributeError) as error:
        raise ConfigError(f"scores {str(path)!r} can't be read as .npz: {error}") from None
    missing = [name for name in sites if name not in arrays]
    if missing:
        raise ConfigError(
            f"scores {str(path)!r} have no array for site {missing[0]!r} ({len(missing)} of"
            f" {len(sites)} chosen sites have none); they name {', '.join(named[:5]) or 'nothing'}"
        )
    return ArrayScores.read(arrays, sites)
