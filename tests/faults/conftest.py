"""Sites made by hand for the tests of the faults room."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from onnxfi.bits import ElementType
from onnxfi.faults import FaultSite, NeuronPart, SampleLayout, SiteKind

MakeSite = Callable[..., FaultSite]


@pytest.fixture(scope="session")
def make_site() -> MakeSite:
    """A site of a given name, element type and shape; a stored weight unless told otherwise."""

    def make(
        name: str = "w",
        element: ElementType = ElementType.FLOAT,
        shape: tuple[int, ...] | None = (2, 3, 4),
        *,
        kind: str = "weight",
        batch_axis: int | None = None,
        op_type: str = "Conv",
        layer: str = "",
        step: int | None = None,
        repeated: bool = False,
        steps: int | None = None,
        part: str | None = None,
    ) -> FaultSite:
        layout = None
        if shape is not None:
            layout = SampleLayout(shape=shape, batch_axis=batch_axis, steps=steps)
        return FaultSite(
            name=name,
            kind=SiteKind(kind),
            element=element,
            node=f"{name}/node",
            op_type=op_type,
            layer=layer or f"{name}/node",
            layout=layout,
            step=step,
            repeated=repeated,
            part=None if part is None else NeuronPart(part),
        )

    return make
