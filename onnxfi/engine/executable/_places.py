"""Places: where the elements of a stored graph's computed tensor lie in an executable graph."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from onnxfi.engine.runtime import same
from onnxfi.faults import FaultSite, SampleLayout
from onnxfi.graph import Model
from onnxfi.inject import RunColumns

_BLOCKS = (16, 8, 4, 32)  # channels that onnxruntime's blocked layout keeps together, by processor

_IMAGE = 4  # axes of an image

# Where elements lie, and the channels in a block if they lie in blocks.
_Order = tuple[NDArray[np.int64], int | None]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class TensorPlace:
    """A computed tensor in an executable graph.

    Attributes:
        value: Its name there.
        site: The site in the stored graph.
        position: Flat index of each element of a sample there, int64; None if they lie as stored.
        elements: Elements of a sample there.
        block: Channels that lie together there; None if it is no image in blocks.
    """

    value: str
    site: FaultSite
    position: NDArray[np.int64] | None = None
    elements: int = 0
    block: int | None = None

    def moved(self, columns: RunColumns) -> RunColumns:
        """Faults of the stored tensor in a run as faults of the value in that run."""
        if self.position is None:
            return columns
        each, within, sample = self.position.size, columns.within, columns.sample
        if within is None or sample is None:
            sample = columns.index // each
            within = columns.index - sample * each
        return RunColumns(
            index=self.position[within] + sample * self.elements,
            and_mask=columns.and_mask,
            xor_mask=columns.xor_mask,
            sample=columns.sample,
        )

    def moved_size(self, elements: int) -> int:
        """Elements of the value in a run, from those of the stored tensor."""
        if self.position is None:
            return elements
        return elements // self.position.size * self.elements

    def positions(self, size: int) -> NDArray[np.int64]:
        """Flat indices of all elements of the stored tensor in a run, in its order.

        Args:
            size: How many there are.
        """
        index = np.arange(size, dtype=np.int64)
        if self.position is None:
            return index
        sample, within = np.divmod(index, self.position.size)
        return sample * self.elements + self.position[within]


def find_places(
    sites: Sequence[FaultSite],
    executable: Model,
    examples: Mapping[str, NDArray[Any]],
    layouts: Mapping[str, SampleLayout],
) -> dict[str, TensorPlace]:
    """Places of many tensors by name, as :func:`find_place`; what is equal in them is shared."""
    found: dict[str, TensorPlace] = {}
    known: dict[bytes, NDArray[np.int64]] = {}
    for site in sites:
        place = find_place(site, executable, examples, layouts)
        if place.position is not None:
            digest = hashlib.sha256(place.position.data).digest()
            place = replace(place, position=known.setdefault(digest, place.position))
        found[site.name] = place
    return found


def find_place(
    site: FaultSite,
    executable: Model,
    examples: Mapping[str, NDArray[Any]],
    layouts: Mapping[str, SampleLayout],
) -> TensorPlace:
    """Where a tensor lies that the executable graph returns under its own name.

    onnxruntime keeps values in its own layouts and turns them back for whoever wants them as
    stored. The value before that is taken, which the other readers see, as far as run-time arrays
    bear out that it holds the same bits in another order.

    Args:
        site: The tensor; its layout is known.
        executable: The graph.
        examples: Values of a run, by name.
        layouts: Where samples lie in them.
    """
    name = site.name
    unmoved = TensorPlace(value=name, site=site)
    node = executable.index.producer(name)
    if node is None or node.op_type not in ("ReorderOutput", "Transpose") or site.layout is None:
        return unmoved
    if node.op_type == "Transpose" and node.name == site.node:
        return unmoved  # the stored graph's own
    before = node.inputs[0]
    if before not in examples or site.layout.batch_axis not in (None, 0):
        return unmoved
    found = _order(examples[name], examples[before], blocked=node.op_type == "ReorderOutput")
    if found is None or layouts[before].batch_axis != layouts[name].batch_axis:
        return unmoved
    samples = examples[name].size // site.layout.elements
    order, block = found
    return TensorPlace(
        value=before,
        site=site,
        # Elements of the first sample alone, which lie in front in both. Copied, for the others
        # not to be kept as well.
        position=order.reshape(-1)[: site.layout.elements].copy(),
        elements=examples[before].size // samples,
        block=block,
    )


def _order(stored: NDArray[Any], held: NDArray[Any], *, blocked: bool) -> _Order | None:
    """Flat indices into ``held``, in the shape of ``stored``, under which both are the same.

    Several layouts may come to one order: those of an image of one place, and blocks that hold all
    channels of an image as high and wide as there are channels. None if there are several orders.
    """
    if stored.ndim < 3:
        return None
    numbers = np.arange(held.size, dtype=np.int64).reshape(held.shape)
    found = [
        (order, block)
        for order, block in _candidates(numbers, stored.shape)
        if order.shape == stored.shape and same(held.reshape(-1)[order], stored)
    ]
    if not found or not all(np.array_equal(order, found[0][0]) for order, _ in found):
        return None
    blocks = {block for _, block in found if block is not None}
    return found[0][0], blocks.pop() if blocked and len(blocks) == 1 else None


def _candidates(numbers: NDArray[np.int64], shape: tuple[int, ...]) -> Iterator[_Order]:
    """Ways in which onnxruntime lays out images: channels last, or in blocks."""
    yield np.moveaxis(numbers, -1, 1), None
    yield np.moveaxis(numbers, 1, -1), None
    samples, channels, *space = numbers.shape
    for block in _BLOCKS:
        if channels % block == 0:
            blocked = numbers.reshape(samples, channels // block, *space, block)
            flat = np.moveaxis(blocked, -1, 2).reshape(samples, channels, *space)
            yield flat[:, : shape[1]], block if numbers.ndim == _IMAGE else None
