"""Where the weights of one export lie in another: found by their bits, block by block."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from onnxfi.bits import Words
from onnxfi.faults import FaultGroup, FaultSite, Scenario, enumerate_sites
from onnxfi.graph import Model, initializer_words

#: Rows of an LSTM's tensors come in four gates, and exports differ in their order.
_GATES = 4
_LEAST = 8  # elements: smaller tensors (exponents of a power) are equal by chance


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Weight:
    """A stored tensor with its bits."""

    site: FaultSite
    words: Words


@dataclass(frozen=True, slots=True, kw_only=True)
class Block:
    """Elements ``start`` to ``stop - 1`` of a weight lie in another site from ``there`` on."""

    start: int
    stop: int
    site: str
    there: int


def weights(model: Model) -> list[Weight]:
    """Weights and biases of a model that are large enough to be told by their bits."""
    sites = enumerate_sites(model.index, model.inputs, model.outputs).sites
    found = (site for site in sites if site.kind in ("weight", "bias"))
    held = [Weight(site=site, words=initializer_words(model, site.name)) for site in found]
    return [weight for weight in held if len(weight.words) >= _LEAST]


def locate(weight: Weight, others: Sequence[Weight]) -> list[Block] | None:
    """Where a weight lies in another export, whole or gate by gate; None if it is not there."""
    for parts in (1, _GATES):
        size = len(weight.words) // parts
        blocks = [_find(weight, part * size, size, others) for part in range(parts)]
        known = [block for block in blocks if block is not None]
        if len(known) == parts:
            return known
    return None


def moved(scenario: Scenario, blocks: Sequence[Block]) -> Scenario:
    """The same faults (of one site) in another export."""
    (group,) = scenario.groups
    found: list[FaultGroup] = []
    for block in blocks:
        inside = (group.index >= block.start) & (group.index < block.stop)
        if inside.any():
            found.append(
                FaultGroup(
                    site=block.site,
                    index=group.index[inside] - block.start + block.there,
                    and_mask=group.and_mask[inside],
                    xor_mask=group.xor_mask[inside],
                )
            )
    return Scenario(number=scenario.number, groups=tuple(found))


def _find(weight: Weight, start: int, size: int, others: Sequence[Weight]) -> Block | None:
    wanted = weight.words[start : start + size]
    for other in others:
        for there in _places(wanted, other.words):
            return Block(start=start, stop=start + size, site=other.site.name, there=there)
    return None


def _places(wanted: Words, words: Words) -> list[int]:
    """Where a block begins in a tensor that is made of blocks of its size."""
    if words.dtype != wanted.dtype or len(words) % len(wanted):
        return []
    rows: NDArray[np.bool_] = (words.reshape(-1, len(wanted)) == wanted).all(axis=1)
    return [int(row) * len(wanted) for row in np.flatnonzero(rows)]
