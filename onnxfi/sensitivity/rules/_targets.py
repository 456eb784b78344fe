"""Targets: the values whose responses are needed, and how far faults can shift them."""

from __future__ import annotations

import math
from collections.abc import Mapping

import numpy as np

from onnxfi.bits import ElementType, format_of
from onnxfi.faults import FaultSite
from onnxfi.graph import Model
from onnxfi.sensitivity.rules._calibrate import Calibration
from onnxfi.sensitivity.rules._entry import Target
from onnxfi.sensitivity.rules._gains import gain_of
from onnxfi.sensitivity.rules._plan import Plan


def shifted(
    model: Model, sites: Mapping[str, FaultSite], found: Plan, seen: Calibration
) -> list[Target]:
    """Values that faults in stored tensors shift, each once; steps of a network together.

    Args:
        model: The model.
        sites: Sites by name.
        found: Entries of the sites.
        seen: Statistics of the values.
    """
    targets: dict[str, Target] = {}
    for name, entry in found.entries.items():
        every = [seen.statistics[each.value] for each in entry.values]
        spread = float(np.sqrt(np.mean([each.spread**2 for each in every])))
        gain = gain_of(model, sites[name], entry, seen, spread)
        met = max(float(gain.up.max(initial=0.0)), float(gain.down.max(initial=0.0)))
        reach = largest_change(sites[name].element) * float(gain.unit.max(initial=0.0)) * met
        first = entry.values[0].value
        known = targets.get(first)
        limit = reach if known is None else max(reach, known.limit)
        targets[first] = Target(
            values=entry.values,
            channels=len(every[0].up),
            spread=spread,
            whole=True,
            limit=limit,
        )
    return list(targets.values())


def hit(sites: Mapping[str, FaultSite], found: Plan, seen: Calibration) -> list[Target]:
    """Values that are themselves faulted; arguments as :func:`shifted`."""
    targets = []
    for name, channels in found.computed.items():
        statistics = seen.statistics[channels.value]
        target = Target(
            values=(channels,),
            channels=len(statistics.up),
            spread=statistics.spread,
            whole=False,
            limit=largest_change(sites[name].element) / statistics.spread,
        )
        targets.append(target)
    return targets


def largest_change(element: ElementType) -> float:
    """The most by which flips of single bits change a number of a type."""
    form = format_of(element)
    if "exponent" in form.fields:
        return math.ldexp(1.0, min(1 << (len(form.fields["exponent"]) - 1), 1023))
    return math.ldexp(1.0, form.width - 1)
