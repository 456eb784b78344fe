"""Checks: does every fault of a scenario exist in the model that it is meant for?"""

from __future__ import annotations

import difflib
import math
from collections.abc import Mapping

import numpy as np

from onnxfi.bits import format_of
from onnxfi.errors import FaultError
from onnxfi.faults.models import FaultGroup, Scenario, check_graph, out_of_range, shape_of_site
from onnxfi.faults.sites import FaultSite
from onnxfi.faults.space._derived import find_site, split_step


def check_scenario(
    scenario: Scenario, sites: Mapping[str, FaultSite], samples: int | None = None
) -> None:
    """Refuse a scenario that doesn't fit a model's sites.

    Args:
        scenario: The scenario.
        sites: All sites it may name, by name.
        samples: Samples of the workload, or None to leave sample numbers unchecked.

    Raises:
        FaultError: A site, element, bit or sample doesn't exist, a site occurs in two groups,
            columns have different lengths, or a stored site's fault names a sample.
    """
    seen: set[str] = set()
    for group in scenario.groups:
        if group.site in seen:
            raise FaultError(f"scenario {scenario.number} has two groups at site {group.site!r}")
        seen.add(group.site)
        check_group(group, site_named(group.site, sites), samples)


def site_named(name: str, sites: Mapping[str, FaultSite]) -> FaultSite:
    """The site of a name, which may be that of one step (``NAME@STEP``) of a repeated tensor.

    Raises:
        FaultError: There is none; the message has the nearest names.
    """
    found = find_site(name, sites)
    if found is None:
        apart = split_step(name)
        if apart is not None and apart[0] in sites:
            raise FaultError(no_step(sites[apart[0]], apart[1]))
        near = difflib.get_close_matches(name, sites, 3)
        hint = f"; did you mean {' or '.join(map(repr, near))}?" if near else ""
        raise FaultError(f"there is no site {name!r}{hint}")
    return found


def no_step(site: FaultSite, step: int) -> str:
    """Why a site can't be faulted in one step only."""
    if not site.repeated:
        return f"site {site.name!r} has no steps: its tensor is made once for each sample"
    steps = 0 if site.layout is None else site.layout.steps or 0
    return f"step {step} is out of range for site {site.name!r} ({steps} steps, 0..{steps - 1})"


def check_group(group: FaultGroup, site: FaultSite, samples: int | None = None) -> None:
    """Refuse faults that don't fit one site; see :func:`check_scenario`.

    Bits above the element's width are ignored in ``and_mask``, and refused in ``xor_mask``.
    """
    lengths = {len(group.index), len(group.and_mask), len(group.xor_mask)}
    if group.sample is not None:
        lengths.add(len(group.sample))
    if len(lengths) > 1:
        raise FaultError(f"columns of the faults at site {site.name!r} differ in length")
    elements = math.prod(shape_of_site(site))
    outside = (group.index < 0) | (group.index >= elements)
    if outside.any():
        raise FaultError(
            f"element {int(group.index[outside][0])} is out of range for site {site.name!r}"
            f" ({elements} elements, 0..{elements - 1})"
        )
    top = int(np.max(group.xor_mask, initial=np.uint64(0)))
    if top > format_of(site.element).mask:
        raise out_of_range(top.bit_length() - 1, site)
    check_graph(group, site)
    if group.sample is not None:
        _check_samples(group, site, samples)


def _check_samples(group: FaultGroup, site: FaultSite, samples: int | None) -> None:
    assert group.sample is not None
    lowest = int(np.min(group.sample, initial=-1))
    if lowest < -1:
        raise FaultError(
            f"sample {lowest} at site {site.name!r} does not exist; -1 stands for every sample"
        )
    highest = int(np.max(group.sample, initial=-1))
    if highest < 0:
        return
    if site.kind.stored:
        raise FaultError(
            f"site {site.name!r} ({site.kind}) is stored: its faults are there for every sample,"
            f" so a fault can't name sample {highest}"
        )
    if samples is not None and highest >= samples:
        raise FaultError(
            f"sample {highest} is out of range for site {site.name!r}: the workload has {samples}"
            f" samples (0..{samples - 1})"
        )
