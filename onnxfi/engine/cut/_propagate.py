"""Propagating: from the first fault on, only what it reaches runs, for many scenarios at once.

The scenarios of a block go through the parts of a chain together, as a front of rows (a row is a
sample of a scenario). At each part the rows that deviate from golden, of all scenarios, share runs
of proven sizes, and those that are golden again drop out. So Python and session calls are paid a
part and a run, not a scenario, and small workloads fill large runs.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from onnxfi.engine.cut._found import Found
from onnxfi.engine.cut._front import Front, ReshapedError
from onnxfi.engine.cut._rows import Rows
from onnxfi.engine.cut._start import Common, Start


def propagate(common: Common, starts: Sequence[Start]) -> Found:
    """What deviates from golden in the runs of scenarios: outputs, and other values on the way.

    A part runs only for the rows in which something that it reads deviates (early stop); the parts
    in front of the first fault never do (late start). What a scenario gives does not depend on
    which others are there.

    Args:
        common: What the scenarios have in common.
        starts: The scenarios.

    Raises:
        RunFailedError: A part gave nothing: one of the scenarios is why.
        FaultError: A value has not the size that its site's layout promises.
    """
    if common.chain.separable:
        try:
            return Front(common, starts, separable=True).found()
        except ReshapedError:
            if len(starts) > 1:
                half = len(starts) // 2
                return _both(
                    common, propagate(common, starts[:half]), propagate(common, starts[half:]), half
                )
    return Front(common, starts, separable=False).found()


def _both(common: Common, first: Found, second: Found, offset: int) -> Found:
    """What two lists of scenarios give, those of the second numbered on."""
    shift = offset * common.window.size
    tables = dict(first.tables)
    for name, rows in second.tables.items():
        moved, before = Rows(keys=rows.keys + shift, entries=rows.entries), tables.get(name)
        if before is not None:
            moved = Rows(
                keys=np.concatenate([before.keys, moved.keys]),
                entries=np.concatenate([before.entries, moved.entries]),
            )
        tables[name] = moved
    wholes = {name: dict(each) for name, each in first.wholes.items()}
    for name, each in second.wholes.items():
        wholes.setdefault(name, {}).update({offset + k: value for k, value in each.items()})
    return Found(common, tables, wholes)
