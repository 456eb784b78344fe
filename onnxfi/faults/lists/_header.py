"""The header of a fault list file, and the fault space that it describes."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal

import msgspec

from onnxfi.errors import FaultError, FaultListError
from onnxfi.faults.models import parse_fault_model
from onnxfi.faults.sites import FaultSite
from onnxfi.faults.space import FaultSpace, site_named

SCHEMA = "onnxfi/faults/1"


class FaultListHeader(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """First line of a fault list file.

    Attributes:
        schema: ``"onnxfi/faults/1"``.
        model_sha256: Hash of the model that the list is for; None in a list written by hand, which
            then fits any model that has its sites.
        graph: Which graph the sites are of: ``stored``, the model's file, or ``deployed``, what
            onnxruntime makes of it. Left out where it is ``stored``.
        graph_sha256: Fingerprint of the deployed graph, which differs between machines; None in a
            list written by hand, and for the stored graph.
        space: What :meth:`FaultSpace.describe` says; None if the list was not sampled.
        sampler: Recipe of the sampler; with it the scenario lines may be left out.
        seed: Seed of the sampler.
        design: Sampling design, such as ``"priority"``.
        next_key: Priority of the first scenario that is not in the list.
        strata: Faults that there are in each stratum of a stratified sample that is written out, in
            the order in which scenarios were allotted; else None.
        fault_graphs: Small ONNX models that are faults, by sha256 (as base64 in the file); left out
            where there are none.
    """

    schema: str = SCHEMA
    model_sha256: str | None = None
    graph: Literal["stored", "deployed"] = "stored"
    graph_sha256: str | None = None
    space: dict[str, Any] | None = None
    sampler: dict[str, Any] | None = None
    seed: int | None = None
    design: str | None = None
    next_key: float | None = None
    strata: dict[str, int] | None = None
    fault_graphs: dict[str, bytes] | None = None


def recipe_space(header: FaultListHeader, sites: Mapping[str, FaultSite]) -> FaultSpace:
    """The fault space whose numbers a sampler's recipe draws.

    Args:
        header: Header of a fault list; says sites and fault models.
        sites: The model's sites by name, computed ones with run-time shapes.

    Raises:
        FaultListError: The header does not describe the space, or the model's sites are not those
            that the recipe was made for.
    """
    described = header.space or {}
    names, models = described.get("sites"), described.get("fault_models")
    if not isinstance(names, list) or not isinstance(models, list):
        raise FaultListError(
            "the fault list is a recipe that does not describe its fault space; write its"
            " scenarios out with `onnxfi sample`"
        )
    try:
        chosen = [site_named(str(name), sites) for name in names]
    except FaultError as error:
        raise FaultListError(
            f"the recipe of the fault list does not fit this model: {error} (sites in computed "
            "tensors need --inputs)"
        ) from error
    space = FaultSpace(
        chosen, [parse_fault_model(str(text), graphs=header.fault_graphs) for text in models]
    )
    check_space(header, space)
    return space


def check_space(header: FaultListHeader, space: FaultSpace) -> None:
    """Refuse a recipe that was made for another fault space.

    Raises:
        FaultListError: Size, fault models or sites differ from those in the header.
    """
    if header.space is None:
        return
    here = space.describe()
    for key, there in header.space.items():
        if key not in here or here[key] == there:
            continue
        # Lists of site names can be long; that they differ is enough.
        values = "" if key == "sites" else f" is {there} there and {here[key]} here"
        what = "the choice of sites is another" if key == "sites" else key
        raise FaultListError(
            f"the fault list was made for another fault space: {what}{values}; use the same "
            "--targets, filters, fault models and bits"
        )
