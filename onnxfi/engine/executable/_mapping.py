"""The map from stored tensors to the initializers of an executable graph, found and verified."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from onnxfi.bits import ElementType, Words, format_of, from_words, to_words
from onnxfi.engine.executable._tags import Numbering, can_tag, converted, random_words, related
from onnxfi.engine.executable._twins import traceable, twin_words
from onnxfi.engine.runtime import EngineSettings
from onnxfi.faults import FaultSite
from onnxfi.graph import Form, Model, initializer_words
from onnxfi.inject import layout_of

_OTHERWISE = "onnxruntime optimises the model differently when its values change"
_COMPUTED = "onnxruntime computes other constants from it (folding, fusion)"
_GONE = "nothing of it is left in the optimised graph (folded or fused away)"

# Random twins that a tensor of few values has to agree with.
_FEW_VALUES = 6

# Values of the stored tensors, and what of them arrives in the executable graph, both by name.
_Proof = tuple[Mapping[str, Words], Mapping[str, Words]]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Image:
    """Where the elements of a stored tensor lie in one initializer: each where it is stored.

    Attributes:
        initializer: Its name in the graph that runs.
        element: Its element type: the stored one, or a wider float.
    """

    initializer: str
    element: ElementType

    @property
    def nbytes(self) -> int:
        """Bytes held."""
        return 0

    def find(self, wanted: NDArray[np.int64]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """Entries of this image with some stored elements, and which one was asked for by each.

        Args:
            wanted: Flat indices into the stored tensor, (k,).

        Returns:
            Entries, as the other methods take them, (m,), and indices into ``wanted``, (m,); an
            element may lie in several.
        """
        return wanted, np.arange(wanted.size)

    def positions(self, entries: NDArray[np.int64]) -> NDArray[np.int64]:
        """Flat indices into the initializer of some entries."""
        return entries

    def arriving(
        self,
        words: Words,
        stored: ElementType,
        entries: NDArray[np.int64] | slice,  # noqa: ARG002
    ) -> Words:
        """Words of the initializer that stand for stored words of some entries."""
        return converted(words, stored, self.element)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Traced(Image):
    """An image whose elements may lie anywhere in the initializer.

    Attributes:
        source: Flat indices into the stored tensor, ascending; int64 (k,).
        position: Flat indices into the initializer; int64 (k,). What no index names is padding
            or comes from elsewhere.
        factor: What each element was multiplied with, float32 (k,), where a BatchNorm was folded
            into it; None if it arrives as it is stored.
    """

    source: NDArray[np.int64]
    position: NDArray[np.int64]
    factor: NDArray[np.float32] | None = None

    @property
    def nbytes(self) -> int:
        """Bytes held."""
        factor = 0 if self.factor is None else self.factor.nbytes
        return self.source.nbytes + self.position.nbytes + factor

    def find(self, wanted: NDArray[np.int64]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """Entries with some stored elements, and which one was asked for by each."""
        first = np.searchsorted(self.source, wanted, "left")
        count = np.searchsorted(self.source, wanted, "right") - first
        owner = np.repeat(np.arange(wanted.size), count)
        offset = np.arange(owner.size) - np.repeat(np.cumsum(count) - count, count)
        return first[owner] + offset, owner

    def positions(self, entries: NDArray[np.int64]) -> NDArray[np.int64]:
        """Flat indices into the initializer of some entries."""
        return self.position[entries]

    def arriving(
        self, words: Words, stored: ElementType, entries: NDArray[np.int64] | slice
    ) -> Words:
        """Words of the initializer that stand for stored words of some entries."""
        factor = None if self.factor is None else self.factor[entries]
        return _multiplied(converted(words, stored, self.element), factor)


def _multiplied(words: Words, factor: NDArray[np.float32] | None) -> Words:
    if factor is None:
        return words
    with np.errstate(all="ignore"):
        values = from_words(words, ElementType.FLOAT, words.shape) * factor
    return to_words(values, ElementType.FLOAT)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class WeightMap:
    """Stored tensors in an executable graph.

    Attributes:
        images: Where each mapped tensor lies, by name of the site.
        unmapped: Why a tensor has no map, by name of the site.
    """

    images: dict[str, tuple[Image, ...]] = field(default_factory=dict)
    unmapped: dict[str, str] = field(default_factory=dict)


def map_weights(
    model: Model,
    executable: Model,
    sites: Sequence[FaultSite],
    settings: EngineSettings,
    *,
    every: bool = True,
) -> WeightMap:
    """Find out where the elements of stored tensors went when a model was optimised.

    Twins of the model, whose tensors hold numbers for their own elements, are optimised like the
    model; the numbers tell where each element lies. The map is taken only if it carries the real
    values, and random ones, to the bits that onnxruntime itself arrives at, with nothing else in
    the graph changed; so a tensor that was folded into others has none.

    Args:
        model: The model, untouched.
        executable: What :func:`optimized` made of it.
        sites: Stored sites of the model.
        settings: How it was optimised.
        every: Go on after a tensor that has no map; else the others may be left out.
    """
    if executable is model:
        return WeightMap(images={site.name: (unmoved(site),) for site in sites})
    found = WeightMap()
    able = []
    for site in sites:
        if can_tag(site.element) and site.form in (Form.TENSOR, Form.SPARSE):
            able.append(site)
        else:
            found.unmapped[site.name] = f"{site.element.name} elements can't be traced"
    _map_group(_Tracer(model, executable, settings), able, found, every)
    return found


def unmoved(site: FaultSite) -> Image:
    """The image of a tensor that lies in a graph as it is stored."""
    return Image(initializer=site.name, element=site.element)


def _map_group(tracer: _Tracer, sites: Sequence[FaultSite], found: WeightMap, every: bool) -> None:
    """Map some sites together; if they get in each other's way, in halves."""
    if not sites or (found.unmapped and not every):
        return
    images = tracer.trace(sites)
    if images is None:
        _split(tracer, sites, found, every, _OTHERWISE)
        return
    lost = [site for site in sites if _scalable(site) and _missing(site, images[site.name])]
    images |= tracer.trace(lost, scaled=True) or {} if lost else {}
    whole = []
    for site in sites:
        missing = _missing(site, images[site.name])
        if missing is None:
            whole.append(site)
        else:
            found.unmapped[site.name] = missing
    if not whole:
        return
    if tracer.explains(whole, images):
        found.images.update({site.name: images[site.name] for site in whole})
    else:
        _split(tracer, whole, found, every, _COMPUTED)


def _split(
    tracer: _Tracer, sites: Sequence[FaultSite], found: WeightMap, every: bool, reason: str
) -> None:
    if len(sites) == 1:
        found.unmapped[sites[0].name] = reason
        return
    half = len(sites) // 2
    _map_group(tracer, sites[:half], found, every)
    _map_group(tracer, sites[half:], found, every)


def _scalable(site: FaultSite) -> bool:
    """Whether a site may be a filter that a BatchNorm was folded into (whose own are vectors)."""
    return site.element is ElementType.FLOAT and len(layout_of(site).shape) > 1


def _missing(site: FaultSite, images: Sequence[Traced]) -> str | None:
    """Why not every element of a site has an image, None if each has."""
    elements = layout_of(site).elements
    if not images:
        return _GONE
    found = np.zeros(elements, np.bool_)
    for image in images:
        found[image.source] = True
    seen = int(np.count_nonzero(found))
    if seen == elements:
        return None
    return f"only {seen} of its {elements} elements can be found in the optimised graph"


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class _Claim:
    """What the numbers in an initializer say: which element of a site each of its own is, or -1."""

    initializer: str
    element: ElementType
    sources: NDArray[np.int64]
    factor: NDArray[np.float32] | None

    def proven(self, site: FaultSite, proofs: Sequence[_Proof]) -> Traced | None:
        """The image that is claimed, as far as known values bear it out."""
        position = np.flatnonzero(self.sources >= 0)
        position = position[np.argsort(self.sources[position], kind="stable")]
        image = self._image(position)
        for stored, arrived in proofs:
            words = stored[site.name][image.source]
            holds = (
                image.arriving(words, site.element, slice(None))
                == arrived[self.initializer][image.position]
            )
            image = self._image(image.position[holds])
        return image if image.position.size else None

    def _image(self, position: NDArray[np.int64]) -> Traced:
        return Traced(
            initializer=self.initializer,
            element=self.element,
            source=self.sources[position],
            position=position,
            factor=None if self.factor is None else self.factor[position],
        )


class _Tracer:
    """Optimises twins of a model and compares them with the executable graph.

    Args:
        model: The model.
        executable: Its optimised form.
        settings: How it was optimised.
    """

    def __init__(self, model: Model, executable: Model, settings: EngineSettings) -> None:
        self._model = model
        self._executable = executable
        self._settings = settings
        self._elements = traceable(executable)
        self._real = {name: initializer_words(executable, name) for name in self._elements}
        self._drawn: dict[tuple[str, ...], dict[str, Words] | None] = {}

    def trace(
        self, sites: Sequence[FaultSite], *, scaled: bool = False
    ) -> dict[str, tuple[Traced, ...]] | None:
        """Images of sites; None if the optimised twins are another graph.

        Args:
            sites: Stored sites.
            scaled: Look for elements times a factor, which shows where they all are one.
        """
        factors: Mapping[str, NDArray[np.float32]] = {}
        if scaled:
            one = {s.name: _ones(s) for s in sites}
            factors = self._floats(self._twin(one) or {})
        numbering = Numbering.of(sites)
        shown = []
        for digit in range(numbering.passes):
            twin = self._twin(numbering.tags(digit))
            if twin is None:
                return None
            shown.append(twin)
        # Constants that happen to look like tags are told from images by values that vary.
        real = {site.name: initializer_words(self._model, site.name) for site in sites}
        proofs: list[_Proof] = [(real, self._real)]
        for draw in range(_FEW_VALUES if any(map(_narrow, sites)) else 1):
            random = random_words(sites, draw)
            varied = self._varied(sites) if draw == 0 else self._twin(random)
            if varied is None:
                return None
            proofs.append((random, varied))
        images: dict[str, list[Traced]] = {site.name: [] for site in sites}
        for name in shown[0]:
            element = self._elements[name]
            alike = [site for site in sites if related(site.element, element)]
            if not alike or not can_tag(element) or (scaled and name not in factors):
                continue
            factor = factors.get(name)
            numbers = numbering.read([_divided(twin[name], factor) for twin in shown], element)
            for site in numbering.among(alike, numbers):
                claimed = _Claim(
                    initializer=name,
                    element=element,
                    sources=numbering.elements_of(site.name, numbers),
                    factor=factor,
                )
                image = claimed.proven(site, proofs)
                if image is not None:
                    images[site.name].append(image)
        return {name: tuple(each) for name, each in images.items()}

    def explains(self, sites: Sequence[FaultSite], images: Mapping[str, Sequence[Traced]]) -> bool:
        """Whether other values of the sites change their images, as they should, and no more."""
        values = random_words(sites)
        twin = self._varied(sites)
        if twin is None:
            return False
        expected = {name: self._real[name].copy() for name in twin}
        for site in sites:
            for image in images[site.name]:
                words = values[site.name][image.source]
                arriving = image.arriving(words, site.element, slice(None))
                expected[image.initializer][image.position] = arriving
        return all(np.array_equal(words, twin[name]) for name, words in expected.items())

    def _varied(self, sites: Sequence[FaultSite]) -> dict[str, Words] | None:
        """The twin in which some sites hold random values: two questions are put to it."""
        key = tuple(site.name for site in sites)
        if key not in self._drawn:
            self._drawn = {key: self._twin(random_words(sites))}  # one at a time: they are large
        return self._drawn[key]

    def _floats(self, twin: Mapping[str, Words]) -> dict[str, NDArray[np.float32]]:
        return {
            name: words.view(np.float32)
            for name, words in twin.items()
            if self._elements[name] is ElementType.FLOAT
        }

    def _twin(self, values: Mapping[str, Words]) -> dict[str, Words] | None:
        return twin_words(self._model, self._executable, values, self._settings)


def _ones(site: FaultSite) -> Words:
    return to_words(np.ones(layout_of(site).elements, np.float32), ElementType.FLOAT)


def _divided(words: Words, factor: NDArray[np.float32] | None) -> Words:
    """Tags without the factor that they were multiplied with: the nearest whole numbers."""
    if factor is None:
        return words
    with np.errstate(all="ignore"):
        return to_words(np.rint(words.view(np.float32) / factor), ElementType.FLOAT)


def _narrow(site: FaultSite) -> bool:
    """Whether a site's type has so few values that another constant may agree by chance."""
    return format_of(site.element).width < 8
