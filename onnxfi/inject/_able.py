"""Which sites can be faulted in which way, and why not."""

from __future__ import annotations

from onnxfi.bits import has_format
from onnxfi.faults import FaultSite
from onnxfi.graph import Form
from onnxfi.inject._primitive import supported

# Engines that lift stored tensors keep a map of their elements: 2 GiB for as many as this.
_MOST_ELEMENTS = 1 << 28
_UNKNOWN_SHAPE = "its run-time shape is not known; give a workload"
_ONLY_BAKED = {
    Form.SPARSE: "it is stored in sparse form and can't be fed as an input; use the bake engine",
    Form.INDICES: "indices of a sparse tensor are only read at load; use the bake engine",
    Form.ATTRIBUTE: "it is an attribute and can't be fed as an input; use the bake engine",
}


def can_bake(site: FaultSite) -> str | None:
    """Why faults on a site can't be written into a model file, None if they can."""
    if site.kind.stored:
        return None if has_format(site.element) else _no_words(site)
    return _computed(site)


def can_open(site: FaultSite) -> str | None:
    """Why a site can't get a port (or, if stored, become an input), None if it can."""
    if not site.kind.stored:
        return _computed(site)
    if not has_format(site.element):
        return _no_words(site)
    if site.layout is not None and site.layout.elements > _MOST_ELEMENTS:
        return (
            f"it has {site.layout.elements:,} elements, and no map is kept of more than"
            f" {_MOST_ELEMENTS:,}; use the bake engine"
        )
    return _ONLY_BAKED.get(site.form)


def only_baked(site: FaultSite) -> bool:
    """Whether a stored site can be faulted in a model file and in no other way."""
    return site.kind.stored and can_open(site) is not None and can_bake(site) is None


def can_start(site: FaultSite) -> str | None:
    """Why a model can't be started behind a site, None if it can.

    The host carries the fault out, so computed tensors of any type that arrays hold will do.
    """
    if site.kind.stored:
        return can_open(site)
    if site.body:
        return f"it is computed in the control-flow body {site.body!r}, which runs as a whole"
    if not has_format(site.element):
        return _no_words(site)
    return _UNKNOWN_SHAPE if site.layout is None else None


def can_lift(site: FaultSite) -> str | None:
    """Why a site can't become an input of the executable graph, None if it may."""
    if not site.kind.stored:
        return "it is computed, and only stored tensors can be lifted"
    return can_open(site)


def _computed(site: FaultSite) -> str | None:
    if not supported(site.element):
        return (
            f"there are no operators that gather and scatter {site.element.name} elements;"
            f" use the cut engine"
        )
    if site.layout is None:
        return _UNKNOWN_SHAPE
    return None


def _no_words(site: FaultSite) -> str:
    return f"{site.element.name} elements are not single words of bits"
