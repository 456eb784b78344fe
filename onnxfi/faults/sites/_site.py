"""Fault sites: named tensors whose stored bits can be corrupted, and where samples lie in them."""

from __future__ import annotations

import enum
import math
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from onnxfi.bits import ElementType, Words
from onnxfi.errors import FaultError
from onnxfi.graph.forms import Form

if TYPE_CHECKING:
    from onnxfi.graph import Gates


@dataclass(frozen=True, slots=True, kw_only=True)
class SampleLayout:
    """How the samples of a batch share one tensor.

    Attributes:
        shape: Shape of the part of the tensor that belongs to one sample. With a batch axis, that
            axis has ``rows`` entries; without one, it is the whole tensor.
        batch_axis: The axis along which samples follow each other, or None for a value that
            exists once per run.
        steps: How often the value is made anew in a run over one sample, where it is repeated: the
            most that a profile has seen. None for a value that is made once.
    """

    shape: tuple[int, ...]
    batch_axis: int | None
    steps: int | None = None

    @property
    def rows(self) -> int:
        """Entries along the batch axis that belong to one sample (1 for a per-run value)."""
        return 1 if self.batch_axis is None else self.shape[self.batch_axis]

    @property
    def elements(self) -> int:
        """Elements of one sample."""
        return math.prod(self.shape)

    def run_shape(self, samples: int) -> tuple[int, ...]:
        """Shape of the whole tensor in a run over ``samples`` samples."""
        if self.batch_axis is None:
            return self.shape
        axis = self.batch_axis
        return (*self.shape[:axis], samples * self.rows, *self.shape[axis + 1 :])

    def flat(
        self, index: NDArray[np.int64], position: NDArray[np.int64], samples: int
    ) -> NDArray[np.int64]:
        """Flat indices into the run-time tensor.

        Args:
            index: Flat (C order) indices within one sample, int64.
            position: Which sample of the batch each index belongs to, int64; broadcast against
                ``index``. Ignored for a per-run value.
            samples: Samples in the batch.

        Returns:
            int64 array of the broadcast shape.
        """
        if self.batch_axis is None:
            return np.broadcast_to(index, np.broadcast_shapes(index.shape, position.shape)).copy()
        if self.batch_axis == 0:  # as below, without divisions
            return index + position * self.elements
        block = math.prod(self.shape[self.batch_axis :])
        before, within = np.divmod(index, block)
        return (before * samples + position) * block + within


class SiteKind(enum.StrEnum):
    """What a site's tensor is to the network."""

    WEIGHT = "weight"
    BIAS = "bias"
    ACTIVATION = "activation"
    INPUT = "input"
    SCALE = "scale"
    ZERO_POINT = "zero_point"
    SPARSE_INDEX = "sparse_index"
    CONSTANT = "constant"
    STATE = "state"

    @property
    def stored(self) -> bool:
        """True for a tensor in the file: its faults are in memory, there for every sample."""
        return self not in (SiteKind.ACTIVATION, SiteKind.INPUT, SiteKind.STATE)


class NeuronPart(enum.StrEnum):
    """What a tensor is to the spiking neurons of a network.

    ``synapse``: stored weights and biases; ``current``: what they make of spikes, on its way to
    the membrane; ``membrane``: the state that is carried from step to step, until it is compared;
    ``threshold``, ``decay``: stored constants of the comparison and of the leak; ``spike``: the
    result of the comparison, until it meets the next weight; ``reset``: what a spike takes back
    from its own membrane, constants of it included.
    """

    SYNAPSE = "synapse"
    CURRENT = "current"
    MEMBRANE = "membrane"
    THRESHOLD = "threshold"
    DECAY = "decay"
    RESET = "reset"
    SPIKE = "spike"


class StoredWords:
    """The words that stored tensors of a model hold, read when they are asked for.

    It stays in its process: a copy that travels to another knows no words.
    """

    def __init__(self, read: Callable[[str], Words] | None) -> None:
        """Keep how they are read: from the name of a tensor, one word an element, flat."""
        self._read = read
        self._last: tuple[str, NDArray[np.uint64]] | None = None

    def __reduce__(self) -> tuple[type[StoredWords], tuple[None]]:
        return StoredWords, (None,)

    def of(self, name: str) -> NDArray[np.uint64]:
        """The words of a tensor, uint64; not to be written to.

        Raises:
            FaultError: They are not known here.
        """
        if self._read is None:
            raise FaultError(f"the words of {name!r} are not known in this process")
        if self._last is None or self._last[0] != name:
            self._last = name, self._read(name).astype(np.uint64)
        return self._last[1]


@dataclass(frozen=True, slots=True, kw_only=True)
class FaultSite:
    """A named tensor whose stored bits can be corrupted.

    Attributes:
        name: The tensor's name in the file (``node/branch/value`` inside a subgraph);
            ``NAME/indices`` of a sparse tensor's indices, ``node/attribute`` of an attribute.
        kind: What the tensor is to the network.
        element: Element type of the tensor as stored or computed.
        node: First consumer of a stored tensor, holder of an attribute, producer of a computed
            tensor; ``Conv#3`` if unnamed. Empty for a graph input, and where no node reads it.
        op_type: Operator of that node for a computed tensor, of the layer for a stored one (a
            quantized Conv weight is read by DequantizeLinear, but belongs to a Conv).
        layer: The node that the tensor belongs to, looking through quantization, casts and
            reshapes.
        layout: Elements of the tensor (of one sample of it); None for a computed tensor whose
            run-time shape is not known because no workload was given.
        step: The one time step or iteration that the site is about, 0-based: of an unrolled
            network the step that the tensor belongs to, of a repeated tensor the step in which
            faults are there (the site is then called ``NAME@STEP``). Else None.
        repeated: Whether the tensor is made anew again and again in one run over a sample: in
            each iteration of a loop, or for each step of a sequence. Without ``step``, faults in
            it are there every time.
        form: How a stored tensor lies in the file.
        part: What the tensor is to the spiking neurons of the network; None where it is nothing to
            them, or there are none.
        series: Name that the tensor's first step has in an unrolled network: the same for all its
            steps. None for what is not one step of many.
        body: Of a computed tensor inside a control-flow body the path of that body,
            ``node/branch``; else empty.
        members: The steps of a tensor that are tied into this one site (``NAME@STEPS``): a fault in
            it is there, in the same element, in each of them. Empty for a site of one tensor.
        gates: How a packed tensor of a recurrent operator is divided; None for other tensors.
        gate: The one gate that the site is about: it is then called ``NAME[gate=f]``, and its
            elements are those of the gate, along the same axes. Else None.
        in_bytes: Whether the elements of a stored tensor lie several in each byte of a tensor of
            uint8, along its last axis; the layout counts elements.
        stored: The words of stored tensors, where they can be asked for.
    """

    name: str
    kind: SiteKind
    element: ElementType
    node: str
    op_type: str
    layer: str
    layout: SampleLayout | None
    step: int | None = None
    repeated: bool = False
    form: Form = Form.TENSOR
    part: NeuronPart | None = None
    series: str | None = None
    body: str = ""
    members: tuple[FaultSite, ...] = ()
    gates: Gates | None = None
    gate: str | None = None
    in_bytes: bool = False
    stored: StoredWords | None = field(default=None, repr=False, compare=False)

    @property
    def tensor(self) -> str:
        """Name of the tensor: the site's without ``@STEP`` or gate; of tied steps, the first's."""
        if self.members:
            return self.members[0].tensor
        if self.gate is not None:
            return self.name.removesuffix(f"[gate={self.gate}]")
        if self.step is None or not self.repeated:
            return self.name
        return self.name.removesuffix(f"@{self.step}")

    def words(self) -> NDArray[np.uint64]:
        """The words that a stored tensor holds, for fault models that depend on other elements.

        Returns:
            uint64 (elements,), in C order; of one gate, those that it reads.

        Raises:
            FaultError: The tensor is computed, or its words are not known here.
        """
        if not self.kind.stored or self.stored is None:
            raise FaultError(f"site {self.name!r} ({self.kind}) has no stored words to look at")
        words = self.stored.of(self.tensor)
        if self.gate is None or self.layout is None:
            return words
        return words[in_tensor(self, np.arange(self.layout.elements))]

    def at(self, step: int) -> FaultSite | None:
        """The site of the same tensor in one step only; None if it has no such step.

        Args:
            step: 0-based; any number is right as long as no profile has found how many there are.
        """
        steps = None if self.layout is None else self.layout.steps
        if not self.repeated or step < 0 or (steps is not None and step >= steps):
            return None
        return replace(self, name=f"{self.tensor}@{step}", step=step)

    def of_gate(self, gate: str) -> FaultSite | None:
        """The site of one gate of the same tensor; None if it has no such gate."""
        if self.gates is None or gate not in self.gates.blocks or self.layout is None:
            return None
        size = self.gates.blocks.count(gate) * self.gates.size
        layout = self._along_gates(size)
        return replace(self, name=f"{self.tensor}[gate={gate}]", gate=gate, layout=layout)

    def whole(self) -> FaultSite:
        """The site of the whole tensor, in every step."""
        layout, step = self.layout, None if self.repeated else self.step
        if self.gate is not None and self.gates is not None:
            layout = self._along_gates(len(self.gates.blocks) * self.gates.size)
        return replace(self, name=self.tensor, gate=None, step=step, layout=layout)

    def _along_gates(self, size: int) -> SampleLayout:
        """The layout with another number of entries along the axis of the gates."""
        assert self.gates is not None
        assert self.layout is not None
        shape, axis = self.layout.shape, self.gates.axis
        return replace(self.layout, shape=(*shape[:axis], size, *shape[axis + 1 :]))


def in_tensor(site: FaultSite, index: NDArray[np.int64]) -> NDArray[np.int64]:
    """Flat indices into a site of one gate, as flat indices into its tensor."""
    gates, whole = site.gates, site.whole()
    assert gates is not None
    assert site.layout is not None
    assert whole.layout is not None
    coordinates = list(np.unravel_index(index, site.layout.shape))
    mine = [place for place, gate in enumerate(gates.blocks) if gate == site.gate]
    block, within = np.divmod(coordinates[gates.axis], gates.size)
    coordinates[gates.axis] = np.array(mine)[block] * gates.size + within
    return np.ravel_multi_index(tuple(coordinates), whole.layout.shape).astype(np.int64)
