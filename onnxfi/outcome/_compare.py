"""Comparison of a faulty value with the golden one: bits, and how far apart they are."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

_WORDS = {1: np.uint8, 2: np.uint16, 4: np.uint32}
_TEXT = "OSUT"  # numpy kinds of string tensors
_ALWAYS_FINITE = "iub" + _TEXT


def differs(golden: NDArray[Any], faulty: NDArray[Any]) -> NDArray[np.bool_]:
    """In which samples any bit differs, bool (B,).

    Bits, not values: -0.0 differs from 0.0, and two NaN are equal if their payloads are.

    Args:
        golden: Array (B, ...), samples first.
        faulty: Array of the same shape and dtype.
    """
    if golden.size == 0:
        return np.zeros(len(golden), np.bool_)
    mine, theirs = _words(golden), _words(faulty)
    return np.asarray((mine != theirs).any(axis=1))


def changed_elements(golden: NDArray[Any], faulty: NDArray[Any]) -> NDArray[np.bool_]:
    """Which elements differ in any bit, flat; arrays of one shape and a dtype of up to 8 bytes."""
    if golden.size == 0:
        return np.zeros(0, np.bool_)
    mine, theirs = (_words(array.reshape(1, -1))[0] for array in (golden, faulty))
    return np.asarray(mine != theirs)


def turned_nonfinite(golden: NDArray[Any], faulty: NDArray[Any]) -> NDArray[np.bool_]:
    """In which samples an element is non-finite where golden is finite, bool (B,).

    Args:
        golden: Array (B, ...), samples first; integers and text are always finite.
        faulty: Array of the same shape and dtype.
    """
    if faulty.dtype.kind in _ALWAYS_FINITE:
        return np.zeros(len(golden), np.bool_)
    bad = ~np.isfinite(faulty)
    if not bad.any():
        return np.zeros(len(golden), np.bool_)
    bad &= np.isfinite(golden)
    return np.asarray(bad.reshape(len(golden), -1).any(axis=1))


def has_nonfinite(values: NDArray[Any]) -> bool:
    """True if any element is infinite or NaN."""
    return values.dtype.kind not in _ALWAYS_FINITE and not np.isfinite(values).all()


def _words(array: NDArray[Any]) -> NDArray[Any]:
    flat = np.ascontiguousarray(array).reshape(len(array), -1)
    if flat.dtype.kind in _TEXT:  # text: no words, but == compares it exactly
        return flat
    return flat.view(_WORDS.get(flat.dtype.itemsize, np.uint64))


_CHUNK = 1 << 18  # elements that are looked at as float64 at a time: 2 MiB


@dataclass(frozen=True, slots=True, kw_only=True)
class Divergence:
    """A value in a faulty run beside the same value in the fault-free one.

    Divergences of disjoint parts of a value add up with ``+``. Errors are float64 and are those
    of the elements that are finite in both runs.

    Attributes:
        elements: Elements compared.
        changed: Elements of which any bit differs.
        samples: Samples in which any element differs.
        nonfinite: Elements that are infinite or NaN where the fault-free run is finite.
        max_abs: Largest absolute difference.
        squared_error: Sum of squared differences.
        squared_golden: Sum of squares of the fault-free elements.
        reshaped: Whether a run gave the value another shape, so that elements have no counterpart;
            all of them count as changed, and none for the errors.
    """

    elements: int = 0
    changed: int = 0
    samples: int = 0
    nonfinite: int = 0
    max_abs: float = 0.0
    squared_error: float = 0.0
    squared_golden: float = 0.0
    reshaped: bool = False

    def __add__(self, other: Divergence) -> Divergence:
        if not isinstance(other, Divergence):
            return NotImplemented
        return Divergence(
            elements=self.elements + other.elements,
            changed=self.changed + other.changed,
            samples=self.samples + other.samples,
            nonfinite=self.nonfinite + other.nonfinite,
            max_abs=max(self.max_abs, other.max_abs),
            squared_error=self.squared_error + other.squared_error,
            squared_golden=self.squared_golden + other.squared_golden,
            reshaped=self.reshaped or other.reshaped,
        )

    @property
    def changed_share(self) -> float:
        """Changed elements / elements; 0 of none."""
        return self.changed / self.elements if self.elements else 0.0

    @property
    def relative_error(self) -> float | None:
        """L2 norm of the difference / L2 norm of the fault-free value.

        None where that is infinite, or nothing is known of it.
        """
        if not self.squared_error:
            return None if self.reshaped else 0.0
        ratio = self.squared_error / self.squared_golden if self.squared_golden else math.inf
        return math.sqrt(ratio) if math.isfinite(ratio) else None


def divergence(golden: NDArray[Any], faulty: NDArray[Any], samples: int = 1) -> Divergence:
    """Compare two arrays of numbers of one dtype.

    Args:
        golden: Fault-free, samples first if there is more than one.
        faulty: The same with the fault.
        samples: Samples that the arrays hold.
    """
    if golden.shape != faulty.shape:
        return Divergence(elements=faulty.size, changed=faulty.size, samples=samples, reshaped=True)
    if faulty is golden:
        changed = np.zeros(golden.size, np.bool_)
    else:
        changed = changed_elements(golden, faulty)
    hit = changed.reshape(samples, -1).any(axis=1) if samples and changed.size else changed
    found = Divergence(
        elements=golden.size,
        changed=int(np.count_nonzero(changed)),
        samples=int(np.count_nonzero(hit)),
    )
    mine, theirs = golden.reshape(-1), faulty.reshape(-1)
    for start in range(0, golden.size, _CHUNK):
        part = slice(start, start + _CHUNK)
        found += _of_chunk(mine[part], theirs[part], changed[part])
    return found


def _of_chunk(golden: NDArray[Any], faulty: NDArray[Any], changed: NDArray[np.bool_]) -> Divergence:
    # Casting makes signalling NaN quiet; beyond float64's range norms become infinite.
    with np.errstate(invalid="ignore", over="ignore"):
        clean = golden.astype(np.float64)
        finite = np.isfinite(clean)
        scale = float(np.square(clean[finite]).sum())
        if not changed.any():
            return Divergence(squared_golden=scale)
        after = faulty[changed].astype(np.float64)
        before, known = clean[changed], finite[changed]
        both = np.isfinite(after) & known
        apart = np.abs(after[both] - before[both])
        return Divergence(
            nonfinite=int(np.count_nonzero(~np.isfinite(after) & known)),
            max_abs=float(apart.max(initial=0.0)),
            squared_error=float(np.square(apart).sum()),
            squared_golden=scale,
        )
