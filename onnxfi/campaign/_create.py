"""Making a campaign, or finding that the folder holds the same one already."""

from __future__ import annotations

import hashlib
import platform
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from typing import Any, ClassVar

import msgspec
import numpy as np
from numpy.typing import NDArray

from onnxfi.campaign._campaign import OpenCampaign, open_campaign
from onnxfi.campaign._document import (
    FORMAT,
    CampaignDocument,
    Plan,
    differences,
    encode_document,
    file_sha256,
    identity_of,
    surroundings,
)
from onnxfi.campaign._experiment import CustomParts, Experiment, chosen_metrics
from onnxfi.campaign._folder import (
    CampaignFolder,
    put_in_place,
    refuse_foreign,
    staged_folder,
)
from onnxfi.campaign._pilot import piloted
from onnxfi.campaign._prepare import prepare
from onnxfi.campaign._removed import removed_from_file
from onnxfi.campaign._scenarios import by_recipe, recipe_in
from onnxfi.campaign._store import create_store
from onnxfi.campaign._subject import choice_of, choose_graph, load_subject
from onnxfi.errors import CampaignMismatchError, ConfigError
from onnxfi.faults import write_fault_list
from onnxfi.files import atomic_file
from onnxfi.graph import load, save
from onnxfi.outcome import storable
from onnxfi.sampling import fitted_recipe
from onnxfi.settings import CampaignSettings, absolute, check_settings
from onnxfi.workload import Signature, open_source, stream_of

RUNS = Path("runs")


@dataclass(frozen=True, slots=True, kw_only=True)
class InMemory:
    """A model or a workload given as an object; it is saved into the campaign folder."""

    MODEL: ClassVar[str] = "model.onnx"
    INPUTS: ClassVar[str] = "inputs.npz"

    model: Any = None
    inputs: Mapping[str, Any] | None = None


def resume_or_create(
    folder: Path | None,
    settings: CampaignSettings | None,
    *,
    custom: CustomParts | None = None,
    objects: InMemory | None = None,
) -> OpenCampaign:
    """The campaign of these settings in this folder: opened if it is there, else made.

    Args:
        folder: Where it lives; None for ``runs/<model>-<id>``.
        settings: What to study; None to open what the folder holds.
        custom: The user's own objects.
        objects: Model and workload given in memory.

    Raises:
        CampaignMismatchError: The folder holds another experiment; the message says what differs.
        CampaignExistsError: The folder holds something else.
        OnnxFIError: The settings, the model or the workload are unusable; nothing is written.
    """
    custom = custom or CustomParts()
    if settings is None:
        if folder is None:
            raise ConfigError("neither a campaign folder nor a model is given; name one of them")
        return open_campaign(folder, custom)
    check_settings(settings)
    if folder is not None:
        refuse_foreign(folder)
        if CampaignFolder(folder).holds_campaign():
            open_campaign(folder, custom).check_surroundings()
    parent = RUNS if folder is None else folder.absolute().parent
    with staged_folder(parent) as staged:
        document = _fill(staged, absolute(settings), custom, objects or InMemory())
        name = f"{Path(document.model_name).stem}-{document.identity[:8]}"
        target = folder or RUNS / name
        if CampaignFolder(target).holds_campaign():
            return _same(target, document, custom)
        put_in_place(staged, target)
    return open_campaign(target, custom)


def _same(target: Path, wanted: CampaignDocument, custom: CustomParts) -> OpenCampaign:
    found = open_campaign(target, custom)
    if found.document.identity == wanted.identity:
        return _relocated(found, wanted)
    different = differences(found.document.identity_parts, wanted.identity_parts)
    raise CampaignMismatchError(
        f"{target} holds another experiment; it differs in {'; '.join(different)}; name another "
        f"folder, or resume this one with `{found.folder.resume}`"
    )


def _relocated(found: OpenCampaign, wanted: CampaignDocument) -> OpenCampaign:
    """The campaign with the paths given now: the files are the same, they may have moved."""
    paths = {
        name: (getattr(found.settings, name), getattr(wanted.settings, name))
        for name in ("model", "inputs")
    }
    # A path that is not absolute lies inside the folder, or is no path: it did not move.
    moved: dict[str, Any] = {
        name: new
        for name, (old, new) in paths.items()
        if old != new and Path(old).is_absolute() and Path(new).is_absolute()
    }
    if found.settings.custom_ops != wanted.settings.custom_ops:
        moved["custom_ops"] = wanted.settings.custom_ops
    if not moved:
        return found
    settings = msgspec.structs.replace(found.settings, **moved)
    document = msgspec.structs.replace(found.document, settings=settings)
    with atomic_file(found.folder.document) as file:
        file.write(encode_document(document))
    return replace(found, document=document)


def _fill(
    staged: CampaignFolder, settings: CampaignSettings, custom: CustomParts, objects: InMemory
) -> CampaignDocument:
    """Write all files of a new campaign but its place; returns its document."""
    if objects.model is not None:
        save(load(objects.model), staged.model)
        settings = msgspec.structs.replace(settings, model=InMemory.MODEL)
    if objects.inputs is not None:
        arrays = {name: np.asarray(values) for name, values in objects.inputs.items()}
        # Read here once more, where refusals name the array and not a file that nobody made.
        model = load(staged.path / settings.model)
        stream = stream_of(settings.state, model.inputs, model.outputs)
        signature = Signature(inputs=model.inputs, outputs=model.outputs, stream=stream)
        open_source(arrays, signature, choice_of(settings)).ways()
        kept = {name: _readable(values) for name, values in arrays.items()}
        np.savez(staged.inputs, allow_pickle=False, **kept)
        settings = msgspec.structs.replace(settings, inputs=InMemory.INPUTS)
    subject = choose_graph(load_subject(settings, staged.path), settings)
    header = None
    if settings.faults is not None:
        header = recipe_in(Path(settings.faults), subject.model.sha256, subject.graph_sha256)
    if header is not None:
        settings = by_recipe(settings, header)
    sampler = fitted_recipe(settings.sampler, subject.workload.samples)
    sampler, pilot = piloted(sampler)
    metrics = tuple(chosen_metrics(settings, custom))
    settings = msgspec.structs.replace(settings, sampler=sampler, metrics=metrics)
    prepared = prepare(settings, custom, subject, header)
    if pilot is not None:
        pilot.check(subject.model.sha256, prepared.experiment.space)
    _write_faults(staged, prepared.experiment)
    parts = _identity_parts(settings, prepared.experiment, prepared.plan, staged)
    document = CampaignDocument(
        format=FORMAT,
        identity=identity_of(parts),
        identity_parts=parts,
        settings=settings,
        plan=prepared.plan,
        model_name=Path(settings.model).name,
        created_at=datetime.now(UTC).isoformat(timespec="seconds"),
        software=_software(),
        hardware={"machine": platform.machine(), "system": platform.platform()},
        removed=removed_from_file(subject),
        left_out=prepared.experiment.left_out,
    )
    prepared.golden.write(staged.golden)
    create_store(staged.results, document.identity)
    with atomic_file(staged.document) as file:
        file.write(encode_document(document))
    return document


def _readable(values: NDArray[Any]) -> NDArray[Any]:
    """An array as a file holds it: text of one width, types that aren't numpy's as raw bytes."""
    if values.dtype.hasobject:
        return storable(values)
    known = values.dtype.isbuiltin == 1 or values.dtype.kind == "U"
    return values if known else values.view(f"V{values.dtype.itemsize}")


def _write_faults(staged: CampaignFolder, experiment: Experiment) -> None:
    scenarios: Iterable[Any] | None = None
    if not experiment.recipe:
        source = experiment.source
        scenarios = (source.scenario(number) for number in range(len(source)))
    write_fault_list(staged.faults, experiment.header, scenarios, experiment.sites)


def _identity_parts(
    settings: CampaignSettings, experiment: Experiment, plan: Plan, staged: CampaignFolder
) -> dict[str, Any]:
    decided = msgspec.to_builtins(plan)
    # For people: neither changes a row.
    for name in ("engine_reason", "batch_reason", "criterion_reason", "population"):
        decided.pop(name)
    if plan.graph == "stored":
        # It has no part in the identity, so that campaigns made before there was a choice stay.
        for name in ("graph", "graph_sha256"):
            decided.pop(name)
    if not plan.monitors:  # likewise
        decided.pop("monitors")
    if plan.freed_batch is None:
        decided.pop("freed_batch")
    parts = {
        "model": experiment.subject.model.sha256,
        "inputs": experiment.subject.workload.sha256,
        "faults": hashlib.sha256(staged.faults.read_bytes()).hexdigest(),
        "drop": settings.drop,
        "plan": decided,
        **surroundings(),
    }
    if settings.metrics:
        parts["metrics"] = sorted(settings.metrics)
    if settings.custom_ops:
        parts["custom_ops"] = [file_sha256(Path(path)) for path in settings.custom_ops]
    return parts


def _software() -> dict[str, str]:
    names = ("onnxfi", "numpy", "onnx")
    return {
        "python": platform.python_version(),
        **{name: version(name) for name in names},
        "onnxruntime": surroundings()["onnxruntime"],
    }
