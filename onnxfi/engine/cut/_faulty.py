"""Faulty values: faults carried out on the host in values between the parts of a chain."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from onnxfi.bits import Words, change_packed, elements_a_byte, format_of, packed_words
from onnxfi.errors import FaultError
from onnxfi.faults import FaultSite
from onnxfi.inject import RunColumns, faulted


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class ValueFaults:
    """Faults in a value of a chain in one run.

    Attributes:
        site: The site that they are in.
        columns: Their places in the value, and their masks.
        elements: Elements that the value has in the run, by the profile.
        block: Channels that lie together where the value is an image in blocks; None elsewhere.
    """

    site: FaultSite
    columns: RunColumns
    elements: int
    block: int | None = None


def with_faults(
    golden: NDArray[Any], before: NDArray[Any] | None, faults: ValueFaults
) -> NDArray[Any] | None:
    """A value of a run with faults, on top of how it deviates anyway.

    Args:
        golden: The golden value.
        before: The value without the faults; None if it is golden.
        faults: The faults.

    Returns:
        The value with them, an array of its own; ``before`` if they change nothing.

    Raises:
        FaultError: The value has not the size that its site's layout promises.
    """
    check_size(golden if before is None else before, faults)
    columns = faults.columns
    if not len(columns.index):
        return before
    values = np.array(golden if before is None else before, order="C")
    words, faulty = _carry_out(values, columns.index, columns, faults.site)
    return before if np.array_equal(words, faulty) else values


def check_size(value: NDArray[Any], faults: ValueFaults) -> None:
    """Refuse a value that has fewer elements than the layout of a site says."""
    elements = value.size
    if faults.site.in_bytes:
        elements *= elements_a_byte(format_of(faults.site.element).width)
    if elements < faults.elements:
        raise FaultError(
            f"site {faults.site.name!r} has {elements} elements in this run, fewer than the"
            f" profile's layout says"
        )


def _carry_out(
    values: NDArray[Any], index: NDArray[np.int64], columns: RunColumns, site: FaultSite
) -> tuple[Words, Words]:
    """Carry faults out in place; the words of the elements before and after."""
    if site.in_bytes:
        data = values.reshape(-1)
        words = packed_words(data, index, site.element)
        faulty = faulted(words, columns, site.element)
        change_packed(data, index, faulty, site.element)
        return words, faulty
    stored = values.reshape(-1).view(format_of(site.element).word)
    words = stored[index]
    faulty = faulted(words, columns, site.element)
    stored[index] = faulty
    return words, faulty
