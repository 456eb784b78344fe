"""Where scenarios come from: a sampler, perhaps by a file of scores, or a fault list."""

from __future__ import annotations

import zipfile
import zlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import msgspec
import numpy as np

from onnxfi.errors import ConfigError, FaultListError
from onnxfi.faults import FaultListHeader, FaultSpace, Scenario, open_fault_list
from onnxfi.sampling import SAMPLERS, ArrayScores, Sampler, Scores, by_scores, from_recipe
from onnxfi.settings import CampaignSettings, settings_of

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
    if kind not in SAMPLERS or not by_scores(kind):
        return from_recipe(values)
    if path is None:
        raise ConfigError(
            f"sampler {kind} needs scores; `onnxfi sensitivity MODEL --inputs FILE -o scores.npz` "
            "measures them, --scores takes the file"
        )
    return from_recipe(values, scores=_scores(Path(path), space, model_sha256, graph_sha256))


def _scores(path: Path, space: FaultSpace, model: str, graph: str | None) -> Scores:
    # Only measured scores are an affair of the room that runs probes.
    from onnxfi.sensitivity import Sensitivity, check_subject, is_sensitivity

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


def recipe_in(path: Path, model_sha256: str, graph_sha256: str | None) -> FaultListHeader | None:
    """The header, if the file is a recipe without scenario lines; else None.

    Raises:
        FaultListError: The file can't be read, or is for another model or another graph of it.
    """
    header, lines = open_fault_list(path, {}, model_sha256, graph_sha256=graph_sha256)
    try:
        empty = next(iter(lines), None) is None
    except FaultListError:
        # No site is known here, so the first scenario line is refused: there is one.
        return None
    return header if empty and header.sampler is not None else None


def by_recipe(settings: CampaignSettings, header: FaultListHeader) -> CampaignSettings:
    """Settings in which the recipe of a fault list has taken the place of sampler and space."""
    told = header.space or {}
    # The list names its sites itself.
    unchosen = {
        name: option.default for name, option in settings_of(CampaignSettings, "sites").items()
    }
    return msgspec.structs.replace(
        settings,
        **unchosen | {"targets": tuple(told.get("targets", ()))},
        faults=None,
        sampler=header.sampler or {},
        fault_models=tuple(told.get("fault_models", ())),
        fault_graphs=header.fault_graphs or {},
    )


def sites_named_in(path: Path) -> set[str]:
    """Names of the sites in the scenario lines; lines that make no sense are left to the reader."""
    names: set[str] = set()
    decoder = msgspec.json.Decoder(_Line)
    with path.open("rb") as file:
        for text in file:
            try:
                for entry in decoder.decode(text).faults:
                    names.update(_names(entry))
            except (msgspec.DecodeError, KeyError, TypeError):
                continue
    return names


def _names(entry: Mapping[str, Any]) -> Iterator[str]:
    """Names of the sites of one entry, of which a column of steps makes several."""
    steps = entry.get("step", -1)
    for step in dict.fromkeys(steps if isinstance(steps, list) else [steps]):
        yield entry["site"] if step == -1 else f"{entry['site']}@{step}"


class _Line(msgspec.Struct):
    faults: list[dict[str, Any]] = []


def renumbered(scenarios: Sequence[Scenario]) -> tuple[Scenario, ...]:
    """Scenarios numbered by position: rows, blocks and stop rules count in the list's order."""
    return tuple(replace(scenario, number=k) for k, scenario in enumerate(scenarios))
