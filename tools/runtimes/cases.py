"""What the scenarios of the comparison hit, kind by kind, so that a difference names its cause."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from onnxfi.bits import ElementType
from onnxfi.engine import ENGINES
from onnxfi.faults import FaultSite

_STORED = ("weight", "bias", "scale", "zero_point")


@dataclass(frozen=True, slots=True, kw_only=True)
class Case:
    """What scenarios do.

    Attributes:
        name: In tables.
        kinds: Kinds of the sites.
        flips: Bit flips in a scenario.
        op_type: Operator that the sites belong to; empty for all.
        bits: Bits that may be flipped; None for all.
        overflows: Zero points of int32 tensors, in place of all others: the difference of a stored
            value and its zero point may leave int32, and ONNX does not say what it is then.
    """

    name: str
    kinds: tuple[str, ...]
    flips: int = 1
    op_type: str = ""
    bits: str | None = None
    overflows: bool = False

    @property
    def undefined(self) -> bool:
        """Whether the faults lead where ONNX says nothing, so that runtimes may differ."""
        return self.overflows or self.bits == "sign"

    def sites(self, sites: Sequence[FaultSite]) -> list[FaultSite]:
        """The sites of the case, of those that can be baked."""
        return [
            site
            for site in sites
            if site.kind.value in self.kinds
            and self.op_type in ("", site.op_type)
            and _int32_zero_point(site) == self.overflows
            and ENGINES.get("bake").refuses(site) is None
        ]


def _int32_zero_point(site: FaultSite) -> bool:
    return site.kind.value == "zero_point" and site.element == ElementType.INT32


CASES = (
    Case(name="1 flip in any stored tensor", kinds=_STORED),
    Case(name="20 flips in any stored tensor", kinds=_STORED, flips=20),
    Case(name="500 flips in weights", kinds=("weight",), flips=500),
    Case(name="20 flips in biases", kinds=("bias",), flips=20),
    Case(name="5 flips in scales, signs kept", kinds=("scale",), flips=5, bits="0-30"),
    Case(name="1 flip of the sign of a scale", kinds=("scale",), bits="sign"),
    Case(name="5 flips in zero points", kinds=("zero_point",), flips=5),
    Case(name="5 flips in int32 zero points", kinds=("zero_point",), flips=5, overflows=True),
    Case(name="1 flip in a computed tensor", kinds=("activation",)),
    Case(name="1 flip in a computed integer", kinds=("activation",), op_type="QuantizeLinear"),
)
