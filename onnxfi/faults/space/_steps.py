"""Steps: the sites ``NAME@STEP`` of repeated tensors, and ties of several steps, by name."""

from __future__ import annotations

import re
from collections.abc import Mapping

from onnxfi.faults.sites import FaultSite
from onnxfi.faults.space._gates import gate_site
from onnxfi.faults.space._tie import find_tie

_AT = re.compile(r"(?P<tensor>.+)@(?P<step>\d{1,9})", re.DOTALL)


def find_site(name: str, sites: Mapping[str, FaultSite]) -> FaultSite | None:
    """The site of a name: one that is listed, or steps or a gate of a listed one.

    Those are called ``NAME@STEPS`` and ``NAME[gate=f]``.

    Args:
        name: Name of a site.
        sites: Sites by name.
    """
    found = sites.get(name)
    if found is not None:
        return found
    gate = gate_site(name, sites)
    if gate is not None:
        return gate
    apart = split_step(name)
    whole = None if apart is None else sites.get(apart[0])
    if apart is None or whole is None:
        return find_tie(name, sites)
    return whole.at(apart[1])


def split_step(name: str) -> tuple[str, int] | None:
    """Tensor and step of a name that reads ``NAME@STEP``; None if it does not."""
    found = _AT.fullmatch(name)
    return None if found is None else (found["tensor"], int(found["step"]))
