"""Sizes of runs: how many rows of a part may share one, proven on golden values."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from onnxfi.engine.cut._chain import PartChain
from onnxfi.engine.cut._rows import differing, entries_of, value_of
from onnxfi.engine.runtime import RunFailedError
from onnxfi.errors import BackendError

Values = Mapping[str, NDArray[Any]]

# What a run reads and makes should fit the cache, and take far longer than the call.
_RUN_BYTES = 2 << 20
_MOST = 64
# A rest takes up to three runs of each smaller size.
_STEP = 4


def run_sizes(
    chain: PartChain, position: int, golden: Values, lifted: Values, size: int
) -> tuple[int, ...]:
    """Sizes of runs, the largest first, in which a part gives each row the bits that it has.

    A kernel's sums may depend on how many rows it is given (matrix products of one row), and an
    operator may mix rows. So golden rows are run in another order, at each size, and have to come
    out as they are.

    Args:
        chain: The parts.
        position: Which.
        golden: Golden values of a run.
        lifted: Stored tensors that are inputs of its session.
        size: Samples of that run.

    Returns:
        None at all if rows can't be told apart, or only the whole run gives these bits.
    """
    part = chain.parts[position]
    names = (*part.reads, *part.makes)
    layouts = chain.layouts
    if any(layouts[name].batch_axis is None for name in part.makes):
        return ()
    split = [name for name in names if layouts[name].batch_axis is not None]
    if not any(name in part.reads for name in split):
        return ()
    each = sum(golden[name].nbytes for name in split) // size
    most = _MOST
    while most > 1 and most * each > _RUN_BYTES:
        most //= 2
    wanted = [most]
    while wanted[-1] > 1:
        wanted.append(max(1, wanted[-1] // _STEP))
    entries = {name: entries_of(golden[name], layouts[name]) for name in split}
    rng = np.random.default_rng(size)
    found = []
    for count in wanted:
        rows = np.resize(rng.permutation(size), count)
        feeds = {
            name: value_of(entries[name][rows], layouts[name]) if name in entries else golden[name]
            for name in part.reads
        }
        if _same(chain, position, feeds, lifted, entries, rows):
            found.append(count)
    return tuple(found)


def _same(
    chain: PartChain,
    position: int,
    feeds: Values,
    lifted: Values,
    golden: Values,
    rows: NDArray[np.int64],
) -> bool:
    """Whether a part makes golden rows of the golden rows that it is fed."""
    try:
        made = chain.run(position, feeds, lifted)
    except (RunFailedError, BackendError):
        return False
    for name in chain.parts[position].makes:
        layout, wanted = chain.layouts[name], golden[name]
        value = made[name]
        if value.ndim != len(layout.shape) or value.dtype != wanted.dtype:
            return False
        axis = layout.batch_axis
        if axis is None or value.shape[axis] != rows.size * layout.rows:
            return False
        mine = entries_of(value, layout)
        if mine.shape[1:] != wanted.shape[1:] or differing(mine, wanted, rows).any():
            return False
    return True

