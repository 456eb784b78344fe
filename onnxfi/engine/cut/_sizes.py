"""Sizes of runs: how many rows of a part may share one, proven on golden and on other values."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
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
# Rows by which a size is tried, at least: one row may come out right by chance, and short ones do.
_TRIED = 8
_MOST_TRIED = 64
_ELEMENTS = 4096


def run_sizes(
    chain: PartChain, position: int, golden: Values, lifted: Values, size: int
) -> tuple[int, ...]:
    """Sizes of runs, the largest first, in which a part gives each row the bits that it has.

    A kernel's sums may depend on how many rows it is given (matrix products of one row), and an
    operator may mix rows. So golden rows, and others that hold a sample's own values in another
    order, are run in another company at each size, and have to come out as in a run of the
    workload's own size.

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
    layouts = chain.layouts
    if any(layouts[name].batch_axis is None for name in part.makes):
        return ()
    reads = [name for name in part.reads if layouts[name].batch_axis is not None]
    if not reads:
        return ()
    each = sum(golden[name].nbytes for name in (*reads, *part.makes)) // size
    trial = _Trial(chain=chain, position=position, golden=golden, lifted=lifted, size=size)
    rows = trial.rows()
    if rows is None:
        return ()
    # A product of one row has kernels of its own, which agree with the others now and then.
    least = 2 if size > 1 and chain.multiplies(position) else 1
    return tuple(count for count in _wanted(each, least) if trial.holds(rows, count))


def _wanted(each: int, least: int) -> Iterator[int]:
    """Sizes worth a trial, for rows of so many bytes."""
    count = _MOST
    while count > least and count * each > _RUN_BYTES:
        count //= 2
    while count > least:
        yield count
        count = max(least, count // _STEP)
    yield count


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class _Rows:
    """Rows that a part reads, and what it makes of them in a run of the workload's size."""

    reads: Values
    makes: Values


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class _Trial:
    """A part under trial; arguments of :func:`run_sizes`."""

    chain: PartChain
    position: int
    golden: Values
    lifted: Values
    size: int

    @property
    def tried(self) -> int:
        """By how many rows a size is tried."""
        makes = self.chain.parts[self.position].makes
        shortest = min(self.golden[name].size // self.size for name in makes)
        return max(_TRIED, min(_MOST_TRIED, _ELEMENTS // max(1, shortest)))

    def rows(self) -> _Rows | None:
        """Golden rows and others; None if these change what golden ones give."""
        layouts, part = self.chain.layouts, self.chain.parts[self.position]
        reads = {
            name: entries_of(self.golden[name], layouts[name])
            for name in part.reads
            if layouts[name].batch_axis is not None
        }
        makes = {name: entries_of(self.golden[name], layouts[name]) for name in part.makes}
        mine = np.arange(self.size)[: self.tried]
        clean = _Rows(
            reads={name: value[mine] for name, value in reads.items()},
            makes={name: value[mine] for name, value in makes.items()},
        )
        rng = np.random.default_rng(self.size)
        # In the company of golden rows. Many golden rows tell enough by themselves.
        others = max(1, min(self.size // 2, self.tried))
        runs = 0 if self.size >= 2 * self.tried else -(-self.tried // others)
        found = [clean]
        for _ in range(runs):
            strange = rng.permutation(self.size)[:others]
            mixed = {name: _shuffled(value, strange, rng) for name, value in reads.items()}
            made = self._made(mixed, self.size)
            if made is None:
                return clean  # such values can't be run
            left = np.setdiff1d(np.arange(self.size), strange)
            if left.size and any(differing(made[n][left], makes[n], left).any() for n in makes):
                return None
            found.append(
                _Rows(
                    reads={name: value[strange] for name, value in mixed.items()},
                    makes={name: value[strange] for name, value in made.items()},
                )
            )
        return _Rows(
            reads={name: np.concatenate([each.reads[name] for each in found]) for name in reads},
            makes={name: np.concatenate([each.makes[name] for each in found]) for name in makes},
        )

    def holds(self, rows: _Rows, count: int) -> bool:
        """Whether rows come out the same in runs of some size."""
        total = len(next(iter(rows.reads.values())))
        rng = np.random.default_rng(count)
        order = np.resize(rng.permutation(total), max(count, -(-self.tried // count) * count))
        for low in range(0, order.size, count):
            mine = order[low : low + count]
            made = self._made({name: value[mine] for name, value in rows.reads.items()}, count)
            if made is None or any(differing(made[n], rows.makes[n], mine).any() for n in made):
                return False
        return True

    def _made(self, reads: Values, count: int) -> Values | None:
        """What the part makes of rows; None if it gives nothing, or nothing like it."""
        chain, layouts = self.chain, self.chain.layouts
        part = chain.parts[self.position]
        feeds = {
            name: value_of(reads[name], layouts[name]) if name in reads else self.golden[name]
            for name in part.reads
        }
        try:
            made = chain.run(self.position, feeds, self.lifted)
        except (RunFailedError, BackendError):
            return None
        if any(made[name].shape != layouts[name].run_shape(count) for name in part.makes):
            return None
        return {name: entries_of(made[name], layouts[name]) for name in part.makes}


def _shuffled(
    value: NDArray[Any], rows: NDArray[np.int64], rng: np.random.Generator
) -> NDArray[Any]:
    """A value whose elements are in another order in some rows."""
    found = value.copy()
    flat = found.reshape(len(found), -1)
    flat[rows] = flat[rows][:, rng.permutation(flat.shape[1])]
    return found
