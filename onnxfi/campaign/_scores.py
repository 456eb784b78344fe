"""Samplers of settings, those among them that need a file of scores."""

from __future__ import annotations

import zipfile
import zlib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from onnxfi.errors import ConfigError
from onnxfi.faults import FaultSpace
from onnxfi.sampling import SCORED, ArrayScores, Sampler, Scores, from_recipe
from onnxfi.sensitivity import Sensitivity, check_subject, is_sensitivity

_DAMAGE = (OSError, EOFError, zipfile.BadZipFile, zlib.error)


def sampler_of(
    recipe: Mapping[str, Any], space: FaultSpace, model_sha256: str, graph_sha256: str | None
) -> Sampler:
    """The sampler of a recipe, for a space.

    Args:
        recipe: As `from_recipe` takes it; that of a sampler by scores may name their file
            (``scores``: what `onnxfi sensitivity` writes, or a ``.npz`` with an array a site, one
            number an element or a bit). A ``pilot`` is left alone: its rates are in the recipe.
        space: What can be hit.
        model_sha256: The model that it is in.
        graph_sha256: Fingerprint of the deployed graph, where that is faulted; else None.

    Raises:
        ConfigError: The recipe is wrong, or the scores are missing or don't fit the space.
    """
    values = dict(recipe)
    path, _ = values.pop("scores", None), values.pop("pilot", None)
    kind = values.get("kind")
    if kind not in SCORED:
        return from_recipe(values)
    if path is None:
        raise ConfigError(
            f"sampler {kind} needs scores; `onnxfi sensitivity MODEL --inputs FILE -o scores.npz` "
            "measures them, --scores takes the file"
        )
    values.pop("kind")
    scores = _scores(Path(path), space, model_sha256, graph_sha256)
    try:
        return SCORED[str(kind)](scores=scores, **values)
    except TypeError as error:
        raise ConfigError(f"the {kind} sampler can't be made: {error}") from None


def _scores(path: Path, space: FaultSpace, model: str, graph: str | None) -> Scores:
    if not is_sensitivity(path):
        return _read(path, space)
    found = Sensitivity.load(path)
    try:
        check_subject(found, model, graph, space.sites)
    except ConfigError as error:
        raise ConfigError(f"scores {str(path)!r} don't fit: {error}") from None
    return found.scores


def _read(path: Path, space: FaultSpace) -> ArrayScores:
    sites = {site.name: site for site in space.sites}
    try:
        # Opened here, since numpy leaves the file open when it turns out to be damaged.
        with path.open("rb") as opened, np.load(opened, allow_pickle=False) as file:
            arrays = {name: file[name] for name in file.files if name in sites}
            named = list(file.files)
    except FileNotFoundError:
        raise ConfigError(f"there is no file of scores {str(path)!r}") from None
    except (*_DAMAGE, ValueError, AttributeError, TypeError) as error:
        raise ConfigError(f"scores {str(path)!r} can't be read as .npz: {error}") from None
    missing = [name for name in sites if name not in arrays]
    if missing:
        raise ConfigError(
            f"scores {str(path)!r} have no array for site {missing[0]!r} ({len(missing)} of"
            f" {len(sites)} chosen sites have none); they name {', '.join(named[:5]) or 'nothing'}"
        )
    return ArrayScores.read(arrays, sites)
