"""Starts: what makes a run of a chain another one than the golden run, and what runs share."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from numpy.typing import NDArray

from onnxfi.engine.cut._chain import PartChain
from onnxfi.engine.cut._cropped import Cropped
from onnxfi.engine.cut._faulty import ValueFaults
from onnxfi.engine.executable import LiftedTensors, Narrow, TensorChange
from onnxfi.inject import BatchWindow

Values = Mapping[str, NDArray[Any]]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Start:
    """What makes a run of a chain another one than the golden run: a scenario in a window.

    Attributes:
        values: Faults in values that parts read, by value, in the order in which they act.
        changes: What changes in stored tensors.
        positions: Parts that read a changed stored tensor, ascending.
        narrow: Parts among ``positions`` of which only some output channels change, and which.
    """

    values: Mapping[str, Sequence[ValueFaults]] = field(default_factory=dict)
    changes: Sequence[TensorChange] = ()
    positions: Sequence[int] = ()
    narrow: Mapping[int, tuple[Narrow, slice]] = field(default_factory=dict)

    @property
    def single(self) -> bool:
        """Whether there is one place at which it begins."""
        return len(self.values) + len(self.positions) <= 1


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Common:
    """What scenarios that propagate together have in common.

    Attributes:
        chain: The graph in parts.
        golden: Every value that parts read or return, of the window's golden run.
        window: Which samples the run holds.
        lifted: Stored tensors that are inputs of their sessions.
        tensors: All stored tensors that may change, and those that narrow runs read.
        cropped: Parts that can run on crops.
        look: Whether to look for rows that equal golden again; not where faults are all over.
        keep: Return all values that deviate, also those that are no outputs.
        hurried: With the shortened limit of a scenario that has hung before.
    """

    chain: PartChain
    golden: Values
    window: BatchWindow
    lifted: Values
    tensors: LiftedTensors
    cropped: Mapping[int, Cropped] = field(default_factory=dict)
    look: bool = True
    keep: bool = False
    hurried: bool = False
