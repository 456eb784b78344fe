"""Faults that are graphs: a small ONNX model computes what becomes of the values of a tensor."""

from __future__ import annotations

import functools
import math
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any, ClassVar, Self

import numpy as np
from numpy.typing import NDArray

from onnxfi.bits import format_of
from onnxfi.errors import ConfigError, FaultError, ModelError
from onnxfi.faults.models._columns import Columns
from onnxfi.faults.models._model import FaultModel, HoldsGraphs
from onnxfi.faults.models._patterns import shape_of_site
from onnxfi.faults.models._scenario import FaultGraph, FaultGroup
from onnxfi.faults.models._text import ModelText
from onnxfi.faults.sites import FaultSite

if TYPE_CHECKING:
    from onnxfi.graph import Snippet

_SHA256 = re.compile(r"[0-9a-f]{64}")
_SHORT = 12  # digits of a hash in messages


@dataclass(frozen=True, slots=True, eq=False)
class GraphFault:
    """A user's own graph as the fault of computed tensors.

    The graph gets the chosen elements as ``[samples, elements]`` and returns as many of the same
    type. It must do with every sample what it does with it alone. Fault number n is element n; with
    ``whole``, the only fault of a site is in all its elements.

    Attributes:
        source: An ONNX model: path, ``bytes``, ``onnx.ModelProto``, or ``onnx.FunctionProto``
            (read as float32). One tensor in, one out, of one type; further inputs need defaults.
        parameters: Values for inputs that have defaults.
        whole: The fault is in the whole tensor, in place of one element.

    Raises:
        ConfigError: The model can't be a fault; the message says why.
    """

    name: ClassVar[str] = "graph"
    help: ClassVar[str] = "a small ONNX model computes what becomes of computed values"
    forms: ClassVar[tuple[str, ...]] = ("graph:FILE.onnx",)

    source: Any = field(repr=False)
    parameters: Mapping[str, Any] = field(default_factory=dict)
    whole: bool = False
    graph: FaultGraph = field(init=False)

    def __post_init__(self) -> None:
        from onnxfi.graph import check_rows, load_snippet

        try:
            snippet = load_snippet(self.source, self.parameters)
            check_rows(snippet)
        except ModelError as error:
            raise ConfigError(f"the graph can't be a fault: {error}") from error
        found = FaultGraph(sha256=snippet.sha256, whole=self.whole, data=snippet.data)
        object.__setattr__(self, "graph", found)

    def __eq__(self, other: object) -> bool:
        return self.graph == other.graph if isinstance(other, GraphFault) else NotImplemented

    def __hash__(self) -> int:
        return hash(self.graph)

    @property
    def enumerable(self) -> bool:
        """True."""
        return True

    @classmethod
    def read(cls, text: ModelText) -> Self:
        """``graph:FILE.onnx[:whole][:NAME=NUMBER ...]``, or a sha256 in place of the file."""
        if text.bits:
            raise text.error(" replaces whole elements; leave bits out")
        left = list(text.parts)
        whole = False
        parameters: dict[str, float] = {}
        while len(left) > 1 and (left[-1] == "whole" or "=" in left[-1]):
            option = left.pop()
            if option == "whole":
                whole = True
                continue
            name, _, value = option.partition("=")
            try:
                parameters[name] = float(value)
            except ValueError:
                raise text.error(
                    f": parameter {name!r} is {value!r}, expected a number; arrays can be given"
                    " from Python, or be stored in the file"
                ) from None
        path = ":".join(left)  # a drive has a colon of its own
        if not path:
            raise text.error(" names no file, such as graph:drift.onnx")
        if _SHA256.fullmatch(path):
            try:
                return cls(known_graph(path, text.graphs).data, parameters, whole)
            except FaultError as error:
                raise text.error(f": {error}") from error
        return cls(path, parameters, whole)

    def graphs(self) -> dict[str, bytes]:
        """The graph, by its sha256."""
        return {self.graph.sha256: self.graph.data}

    def spec(self) -> str:
        """``graph:SHA256[:whole]``; files that hold it hold the graph as well."""
        return f"graph:{self.graph.sha256}{':whole' if self.whole else ''}"

    def variants(self, site: FaultSite) -> int:
        """Number of elements, or 1; 0 where the site is stored or of another type."""
        if site.kind.stored or site.element is not snippet_of(self.graph).element:
            return 0
        if any(each.step is not None and each.repeated for each in site.members or (site,)):
            return 0  # the graph is there in every step
        return 1 if self.whole else math.prod(shape_of_site(site))

    def columns(
        self,
        site: FaultSite,
        numbers: NDArray[np.int64],
        rng: np.random.Generator,  # noqa: ARG002
    ) -> Columns:
        """The faults that numbers stand for."""
        rows = len(numbers)
        return Columns(
            owner=np.arange(rows, dtype=np.int64),
            index=numbers.astype(np.int64),
            and_mask=np.full(rows, format_of(site.element).mask, np.uint64),
            xor_mask=np.zeros(rows, np.uint64),
            graph=self.graph,
        )

    def number(self, site: FaultSite, group: FaultGroup) -> int | None:
        """The number of a fault, or None if it is none of this model."""
        if group.graph != self.graph or len(group) != 1:
            return None
        number = int(group.index[0])
        return number if 0 <= number < self.variants(site) else None


_ALL = 2**64 - 1


@functools.lru_cache(maxsize=64)
def snippet_of(graph: FaultGraph) -> Snippet:
    """The graph of a fault, loaded."""
    from onnxfi.graph import load_snippet

    return load_snippet(graph.data)


def graphs_of(models: Iterable[FaultModel]) -> dict[str, bytes]:
    """The graphs among some fault models, by hash: files hold them with the specs."""
    found: dict[str, bytes] = {}
    for model in models:
        if isinstance(model, HoldsGraphs):
            found.update(model.graphs())
    return found


def known_graph(sha256: str, graphs: Mapping[str, bytes], *, whole: bool = False) -> FaultGraph:
    """A graph of a file, checked.

    Raises:
        FaultError: The file does not hold it, or holds another under its name.
    """
    data = graphs.get(sha256)
    if data is None:
        raise FaultError(f"fault graph {sha256[:_SHORT]} is not in the header's 'fault_graphs'")
    from onnxfi.graph import load_snippet

    try:
        found = load_snippet(data)
    except ModelError as error:
        raise FaultError(f"fault graph {sha256[:_SHORT]} can't be a fault: {error}") from error
    if found.sha256 != sha256:
        raise FaultError(
            f"fault graph {sha256[:_SHORT]} has another content (sha256 {found.sha256[:_SHORT]})"
        )
    return FaultGraph(sha256=sha256, whole=whole, data=data)


def check_graph(group: FaultGroup, site: FaultSite) -> None:
    """Refuse a fault graph that does not fit a site.

    Raises:
        FaultError: The site is stored or of another type, the fault is bound to one sample or
            step, or it names other elements than the first of a whole tensor.
    """
    graph = group.graph
    if graph is None:
        return
    element = snippet_of(graph).element
    reason = None
    if site.kind.stored:
        reason = f"the site is stored ({site.kind}), and graphs are faults of computed tensors"
    elif element is not site.element:
        reason = f"it computes {element.name}, the site holds {site.element.name}"
    elif group.sample is not None and (group.sample >= 0).any():
        reason = "it is there in every sample, and the fault names one"
    elif site.step is not None and site.repeated:
        reason = "it is there in every step, and the site is one step"
    elif graph.whole and group.index.any():
        reason = "it acts on the whole tensor, and only element 0 stands for that"
    if reason is not None:
        raise FaultError(
            f"fault graph {graph.sha256[:_SHORT]} can't act at site {site.name!r}: {reason}"
        )


def disarmed(group: FaultGroup) -> FaultGroup:
    """The same graph on one element, without effect."""
    assert group.graph is not None
    first, keep = np.zeros(1, np.int64), np.full(1, _ALL, np.uint64)
    return replace(
        group,
        index=first,
        and_mask=keep,
        xor_mask=np.zeros(1, np.uint64),
        sample=None,
        graph=replace(group.graph, armed=False),
    )


_SHA256 = re.compile(r"[0-9a-f]{64}")
