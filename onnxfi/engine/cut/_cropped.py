"""Cropped runs: of a convolution that reads golden values but for a region, only what that reaches.

A fault in one place of an image reaches its receptive field alone, which grows with every
convolution. Until it covers most of the image, a convolution runs on a crop of it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from onnxfi.engine.cut._deviation import Deviation, Region, Samples, crop, insert, whole
from onnxfi.graph import Model, Part, Receptive, receptive_field
from onnxfi.graph.ops import operator

_DOMAIN = "com.microsoft.nchwc"
_READ, _SUM = 0, 3
# Of an image, up to which a crop pays.
_WORTH = 0.6

Values = Mapping[str, NDArray[Any]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Cropped:
    """A convolution that can run on a crop.

    Attributes:
        read: The image that it reads.
        summed: An image that is added to its output; None if there is none.
        made: Its output.
        field: What its output places read.
        block: Channels that lie together.
    """

    read: str
    summed: str | None
    made: str
    field: Receptive
    block: int

    def region(self, deviations: Mapping[str, Deviation], golden: Values) -> Region | None:
        """The part of its output that deviations reach; None if a crop does not pay.

        Args:
            deviations: How the images that it reads deviate, as far as they do.
            golden: Golden values.
        """
        height, width = golden[self.made].shape[2:]
        found: Region | None = None
        for name, deviation in deviations.items():
            region = deviation.region
            if region is None:
                return None
            if name == self.read:
                region = region.reached(self.field, height, width)
            found = region if found is None else found.united(region)
        if found is None or found.area > _WORTH * height * width:
            return None
        return found

    def feeds(
        self, region: Region, deviations: Mapping[str, Deviation], golden: Values, samples: Samples
    ) -> dict[str, NDArray[Any]]:
        """What the convolution reads on the crop, padding included.

        Args:
            region: The part of its output that is wanted.
            deviations: How what it reads deviates.
            golden: Golden values.
            samples: The samples that are run.
        """
        wanted = {self.read: region.read_by(self.field)}
        if self.summed is not None:
            wanted[self.summed] = region
        found = {}
        for name, part in wanted.items():
            image = crop(golden[name], part, samples)
            deviation = deviations.get(name)
            if deviation is not None and deviation.region is not None:
                mine = deviation.samples
                if samples is not None and mine is not None:
                    mine = None if mine.size == samples.size else np.searchsorted(samples, mine)
                insert(image, deviation.values, deviation.region, mine, at=part)
            found[name] = image
        return found

    def trials(self, golden: Values) -> list[Region]:
        """Regions of its output by which a crop is proven: corners, edges, the middle."""
        image = whole(golden[self.made], self.block)
        found = []
        for size in (1, 3):
            tops = {0, image.bottom // 2, image.bottom - size}
            lefts = {0, image.right // 2, image.right - size}
            found += [
                Region(top=top, bottom=top + size, left=left, right=left + size, block=self.block)
                for top in tops
                for left in lefts
                if top >= 0 and left >= 0 and top + size <= image.bottom
                if left + size <= image.right
            ]
        return found


def find_cropped(model: Model, part: Part, block: int | None) -> Cropped | None:
    """How a part can run on a crop, None if it can't.

    Args:
        model: The executable graph.
        part: One of its parts.
        block: Channels that lie together in its images; None if that is not known.
    """
    if block is None or len(part.nodes) != 1 or len(part.makes) != 1:
        return None
    node = model.index.producer(part.makes[0])
    if node is None or node.domain != _DOMAIN or operator(node.op_type).layout != "convolution":
        return None
    read = model.index.producer(node.inputs[_READ])
    summed = node.inputs[_SUM] if len(node.inputs) > _SUM else ""
    images = [read, *([model.index.producer(summed)] if summed else [])]
    if not all(
        maker is not None and maker.domain == _DOMAIN and maker.op_type != "ReorderOutput"
        for maker in images
    ):
        return None
    field = receptive_field(model, node.name)
    if field is None:
        return None
    return Cropped(
        read=node.inputs[_READ],
        summed=summed or None,
        made=node.outputs[0],
        field=field,
        block=block,
    )
