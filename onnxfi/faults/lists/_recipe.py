"""The fault space that a recipe was made for, built again from the header of its file."""

from __future__ import annotations

from collections.abc import Mapping

from onnxfi.errors import FaultError, FaultListError
from onnxfi.faults.lists._records import FaultListHeader
from onnxfi.faults.models import parse_fault_model
from onnxfi.faults.sites import FaultSite
from onnxfi.faults.space import FaultSpace, site_named


def recipe_space(header: FaultListHeader, sites: Mapping[str, FaultSite]) -> FaultSpace:
    """The fault space whose numbers a sampler's recipe draws.

    Args:
        header: Header of a fault list; says sites and fault models.
        sites: The model's sites by name, computed ones with run-time shapes.

    Raises:
        FaultListError: The header does not tell the space, or the model's sites are not those
            that the recipe was made for.
    """
    told = header.space or {}
    names, models = told.get("sites"), told.get("fault_models")
    if not isinstance(names, list) or not isinstance(models, list):
        raise FaultListError(
            "the fault list is a recipe that does not tell its fault space; write its scenarios "
            "out with `onnxfi sample`"
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
        told = "" if key == "sites" else f" is {there} there and {here[key]} here"
        what = "the choice of sites is another" if key == "sites" else key
        raise FaultListError(
            f"the fault list was made for another fault space: {what}{told}; use the same "
            "--targets, filters, fault models and bits"
        )
