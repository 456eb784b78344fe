"""Cropped runs: of a convolution that reads golden values but for a region, only what that reaches.

A fault in one place of an image reaches its receptive field alone, which grows with every
convolution. Until it covers most of the image, a convolution, with what is done to each element of
its output, runs on a crop of it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from onnxfi.engine.cut._crops import Frame, around, crop, insert
from onnxfi.engine.cut._rows import Rows
from onnxfi.graph import Model, Node, Part, Receptive, receptive_field
from onnxfi.graph.ops import is_a, operator

_DOMAIN = "com.microsoft.nchwc"
_READ, _SUM = 0, 3
# Of an image, up to which a crop pays: what is around it has to be read as well, and copied.
_WORTH = 0.5

Values = Mapping[str, NDArray[Any]]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class CropRows:
    """Rows of an image that may differ from golden in a crop alone.

    Attributes:
        keys: Whose row each is, as in :class:`Rows`.
        frame: Where the crops lie.
        crops: The crops, (r, channels, height, width) in blocks.
        block: Channels of a block.
    """

    keys: NDArray[np.int64]
    frame: Frame
    crops: NDArray[Any]
    block: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Cropped:
    """A convolution that can run on crops, with what follows it in its part.

    Attributes:
        read: The image that it reads.
        beside: Other images that the part reads, each place of them for the same of its output.
        made: Its output.
        field: What the convolution's output places read.
        block: Channels that lie together.
    """

    read: str
    beside: tuple[str, ...]
    made: str
    field: Receptive
    block: int

    def frame(
        self, keys: NDArray[np.int64], tables: Mapping[str, CropRows], height: int, width: int
    ) -> Frame | None:
        """The part of its output that crops reach; None if to run on crops does not pay.

        Args:
            keys: The rows.
            tables: Crops of what it reads, as far as that differs.
            height: Rows of its output.
            width: Columns of its output.
        """
        top, left = np.full(keys.size, height), np.full(keys.size, width)
        bottom, right = np.zeros(keys.size, np.int64), np.zeros(keys.size, np.int64)
        for name, table in tables.items():
            frame = table.frame
            if name == self.read:
                frame = frame.reached(self.field, height, width)
            mine = Rows(keys=keys, entries=keys).positions(table.keys)
            top[mine] = np.minimum(top[mine], frame.top)
            left[mine] = np.minimum(left[mine], frame.left)
            bottom[mine] = np.maximum(bottom[mine], frame.top + frame.height)
            right[mine] = np.maximum(right[mine], frame.left + frame.width)
        found = around(top, bottom, left, right, height, width)
        return found if found.area <= _WORTH * height * width else None

    def feeds(
        self,
        samples: NDArray[np.int64],
        frame: Frame,
        tables: Mapping[str, CropRows],
        places: Mapping[str, NDArray[np.int64]],
        golden: Values,
    ) -> dict[str, NDArray[Any]]:
        """What the convolution reads for some rows, padding included.

        Args:
            samples: Which sample each row is of.
            frame: The part of its output that is wanted.
            tables: Crops of what it reads, as far as that differs.
            places: Where the row of each of these rows lies in the tables, -1 where it is golden.
            golden: Golden values of all samples.
        """
        found = {}
        for name in (self.read, *self.beside):
            wanted = frame.read_by(self.field) if name == self.read else frame
            crops = crop(golden[name], self.block, samples, wanted)
            if name in tables:
                table, place = tables[name], places[name]
                rows = np.flatnonzero(place >= 0)
                mine = place[rows]
                at = wanted.at(rows)
                insert(crops, self.block, rows, table.frame.at(mine), table.crops[mine], at)
            found[name] = crops
        return found


def find_cropped(model: Model, part: Part, block: int | None) -> Cropped | None:
    """How a part can run on crops, None if it can't.

    Args:
        model: The executable graph.
        part: One of its parts.
        block: Channels that lie together in its images; None if that is not known.
    """
    if block is None or len(part.makes) != 1:
        return None
    nodes = [node for node in model.index.nodes if node.name in part.nodes]
    heavy = [node for node in nodes if _is_blocked_convolution(node)]
    others = [node for node in nodes if node not in heavy]
    if len(heavy) != 1 or not all(_for_each_element(model, node, part) for node in others):
        return None
    (node,) = heavy
    summed = [name for name in node.inputs[_SUM : _SUM + 1] if name]
    read = node.inputs[_READ]
    made = {name for each in nodes for name in each.outputs}
    beside = [
        name
        for name in (*summed, *(name for each in others for name in each.inputs))
        if name in part.reads
    ]
    field = receptive_field(model, node.name)
    images = (read, *beside, part.makes[0])
    if field is None or read in made or read in beside or {read, *beside} != set(part.reads):
        return None
    if not all(_in_blocks(model, image) for image in images):
        return None
    return Cropped(
        read=read,
        beside=tuple(dict.fromkeys(beside)),
        made=part.makes[0],
        field=field,
        block=block,
    )


def _is_blocked_convolution(node: Node) -> bool:
    return node.domain == _DOMAIN and operator(node.op_type).layout == "convolution"


def _for_each_element(model: Model, node: Node, part: Part) -> bool:
    """Whether a node takes each element for itself; of stored tensors it reads single numbers."""
    if not is_a(node.op_type, "elementwise") or len(node.outputs) != 1:
        return False
    stored = (model.index.initializers[name] for name in node.inputs if name in part.stored)
    return all(not entry.shape for entry in stored)


def _in_blocks(model: Model, value: str) -> bool:
    """Whether a value lies in blocks of channels: made so, or element by element of such."""
    pending, seen = [value], {value}
    while pending:
        node = model.index.producer(pending.pop())
        if node is None:
            return False
        if node.domain == _DOMAIN:
            if node.op_type == "ReorderOutput":
                return False
            continue
        if not is_a(node.op_type, "elementwise"):
            return False
        more = [n for n in node.inputs if n and n not in model.index.initializers and n not in seen]
        seen.update(more)
        pending += more
    return True
