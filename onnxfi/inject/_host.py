"""Faults carried out on the host, in the array of a computed tensor."""

from __future__ import annotations

from typing import Any

from numpy.typing import NDArray

from onnxfi.bits import from_words, to_words
from onnxfi.errors import FaultError
from onnxfi.faults import FaultGroup, FaultSite
from onnxfi.inject._columns import BatchWindow, faulted, window_columns


def faulty_array(
    values: NDArray[Any], group: FaultGroup, site: FaultSite, window: BatchWindow
) -> NDArray[Any]:
    """A copy of a computed tensor with the faults in it, what a port makes of it, bit for bit.

    Args:
        values: The whole tensor of a run, in the value dtype of the site's element type.
        group: The faults.
        site: Where they are.
        window: Which samples the run holds.

    Raises:
        FaultError: An index is out of range, the tensor has not the size that the site's layout
            promises, or a fault bound to one sample would hit several.
    """
    columns = window_columns(group, site, window)
    if len(columns.index) and columns.index.max() >= values.size:
        raise FaultError(
            f"site {site.name!r} has {values.size} elements in this run, fewer than the profile's"
            f" layout says"
        )
    words = to_words(values, site.element)
    words[columns.index] = faulted(words[columns.index], columns, site.element)
    return from_words(words, site.element, values.shape)
