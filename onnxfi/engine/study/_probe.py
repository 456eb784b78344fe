"""Probing runs: small batches of the workload, whole or with one sample replaced."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from onnxfi.engine.runtime import RunFailedError, Session, same
from onnxfi.engine.study._layouts import Replacement
from onnxfi.errors import GoldenError
from onnxfi.outcome import RunOutputs
from onnxfi.workload import Workload

Corruption = Callable[[NDArray[Any]], NDArray[Any]]

_HUGE = 1e4  # far outside any activation, and finite in float16


class Prober:
    """Runs a session on the first samples of a workload.

    Args:
        session: The session.
        workload: The workload.
        rows: Rows that the model insists on, None for any number.
    """

    def __init__(self, session: Session, workload: Workload, rows: int | None = None) -> None:
        self._session = session
        self._workload = workload
        self._rows = rows

    @property
    def rows(self) -> int | None:
        """Rows that the model insists on, None for any number."""
        return self._rows

    def base(self, samples: int, names: Sequence[str] = ()) -> RunOutputs:
        """The first samples, the last one repeated where the workload has fewer.

        Raises:
            GoldenError: The run raised.
        """
        return self._golden(self._feeds(samples), names, f"its first {samples} samples")

    def solo(self, sample: int, names: Sequence[str] = ()) -> RunOutputs:
        """One sample in a run of its own, repeated up to the rows the model insists on.

        Raises:
            GoldenError: The run raised.
        """
        sample = min(sample, self._workload.samples - 1)
        feeds = self._workload.batch(sample, sample + 1, self._rows)
        return self._golden(feeds, names, f"sample {sample}")

    def corrupted(
        self, samples: int, names: Sequence[str] = ()
    ) -> Iterator[tuple[int, RunOutputs]]:
        """Runs of :meth:`base` in which one sample is replaced: which one, and the outputs.

        The first sample gets another one's values backwards, then huge numbers, then NaN; the
        last one is turned backwards too. A replacement that the model refuses, or that is the
        sample itself, is left out.
        """
        feeds = self._feeds(samples)
        plan = [(0, _backwards), (samples - 1, _backwards), (0, _huge), (0, _nan)]
        for sample, corruption in plan:
            if corruption is not _backwards and not self._has_floats():
                continue
            replaced = self._replaced(feeds, sample, corruption)
            if all(same(values, feeds[name]) for name, values in replaced.items()):
                continue  # equal samples: nothing was replaced, so nothing would be shown
            try:
                outputs = self._session.run(replaced, names)
            except RunFailedError:
                continue
            yield sample, outputs

    def changes(self, base: RunOutputs, samples: int) -> dict[str, list[Replacement]]:
        """What the replacements of :meth:`corrupted` do to the values of a :meth:`base` run."""
        found: dict[str, list[Replacement]] = {name: [] for name in base}
        for sample, outputs in self.corrupted(samples, tuple(base)):
            for name, value in outputs.items():
                found[name].append(Replacement.between(sample, base[name], value))
        return found

    def _feeds(self, samples: int) -> dict[str, NDArray[Any]]:
        stop = min(samples, self._workload.samples)
        return self._workload.batch(0, stop, samples)

    def _golden(
        self, feeds: Mapping[str, NDArray[Any]], names: Sequence[str], what: str
    ) -> RunOutputs:
        try:
            return self._session.run(feeds, names)
        except RunFailedError as error:
            raise GoldenError(
                f"the fault-free model fails on {what} of {self._workload.source}: {error}"
            ) from error

    def _has_floats(self) -> bool:
        return any(_is_float(values) for values in self._workload.inputs.values())

    def _replaced(
        self, feeds: Mapping[str, NDArray[Any]], sample: int, corruption: Corruption
    ) -> dict[str, NDArray[Any]]:
        replaced = dict(feeds)
        for name, axis in self._workload.axes.items():
            if axis is None:
                continue
            moved = np.moveaxis(feeds[name].copy(), axis, 0)
            # Another sample's values, so that integers (token numbers, say) stay valid.
            own, other = moved[sample, ...], corruption(moved[-1 - sample, ...])
            moved[sample, ...] = corruption(own) if same(other, own) else other
            replaced[name] = np.ascontiguousarray(np.moveaxis(moved, 0, axis))
        return replaced


def _is_float(values: NDArray[Any]) -> bool:
    return values.dtype.kind == "f" or (values.dtype.isbuiltin != 1 and values.dtype.kind == "V")


def _backwards(row: NDArray[Any]) -> NDArray[Any]:
    return row.reshape(-1)[::-1].reshape(row.shape)


def _huge(row: NDArray[Any]) -> NDArray[Any]:
    return np.full_like(row, _HUGE) if _is_float(row) else row


def _nan(row: NDArray[Any]) -> NDArray[Any]:
    return np.full_like(row, np.nan) if _is_float(row) else row
