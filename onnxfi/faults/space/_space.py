"""The fault space: every single-fault scenario of a set-up, numbered and never listed."""

from __future__ import annotations

import hashlib
import math
from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from onnxfi.bits import format_of
from onnxfi.errors import ConfigError, FaultError
from onnxfi.faults.models import (
    Columns,
    FaultGroup,
    FaultModel,
    graphs_of,
    in_groups,
    in_one_group,
    shape_of_site,
    touched,
)
from onnxfi.faults.sites import FaultSite, SiteKind
from onnxfi.faults.space._derived import spread, untied

_LARGEST = 2**62
_PROBES = 4096  # variants of one element that are looked at


class Segment(NamedTuple):
    """A run of fault numbers that one model has at one site.

    Attributes:
        start: First fault number.
        model: Position of the model in the space.
        site: Position of the site in the space.
    """

    start: int
    model: int
    site: int


class Stretch(NamedTuple):
    """Consecutive fault numbers of one model at one site.

    Attributes:
        start: First fault number.
        stop: One past the last.
        site: Where.
        columns: The faults, ``owner`` counting from ``start``.
    """

    start: int
    stop: int
    site: FaultSite
    columns: Columns


class Located(NamedTuple):
    """Where faults lie, in columns of one row a fault number.

    Attributes:
        model: int64 (n,), position of the fault model in ``space.models``.
        site: int64 (n,), position of the site in ``space.sites``.
        bit: int64 (n,), the affected bit; -1 where several bits or elements are affected.
        field: str (n,), the bit field that holds all affected bits; empty where there are several.
    """

    model: NDArray[np.int64]
    site: NDArray[np.int64]
    bit: NDArray[np.int64]
    field: NDArray[np.str_]


class Variants(NamedTuple):
    """The faults of one element; those of the next follow in the same order.

    Attributes:
        elements: How many elements there are.
        bits: The bit of each variant, -1 where several are affected.
        fields: The field of each variant, empty where it is in several.
    """

    elements: int
    bits: tuple[int, ...]
    fields: tuple[str, ...]


class FaultSpace:
    """All single-fault scenarios that some sites and fault models allow.

    Numbering, which is part of the file formats: models in the given order; within a model, sites
    in the given order; within a site, the model's own numbering. Pairs of a model and a site that
    it does not apply to take no numbers.

    Attributes:
        sites: The sites.
        models: The fault models.
        size: Number of faults (for a random model: of places where it can act).
        bits: Stored bits of the sites, of one sample for computed tensors.
        enumerable: Whether every number stands for exactly one fault.
        graphs: Whether some faults may be graphs, which act on computed tensors only.
    """

    def __init__(self, sites: Sequence[FaultSite], models: Sequence[FaultModel]) -> None:
        """Lay out the numbers.

        Args:
            sites: Sites with known shapes, names unique.
            models: At least one fault model.

        Raises:
            ConfigError: No site, no model, or two sites of one name.
            FaultError: A model asks for bits that a site lacks, applies to none of the sites, or
                there are more than 2^62 faults.
        """
        self.sites = tuple(sites)
        self.models = tuple(models)
        if not self.sites or not self.models:
            raise ConfigError(
                f"a fault space needs at least one {'fault model' if self.sites else 'site'}"
            )
        names = [site.name for site in untied(self.sites)]
        if len(set(names)) < len(names):
            raise ConfigError("two sites of the fault space have the same name")
        self.bits = sum(site_bits(site) for site in self.sites)
        self.enumerable = all(model.enumerable for model in self.models)
        computed = any(not site.kind.stored for site in self.sites)
        self.graphs = computed and bool(graphs_of(self.models))
        self.segments, self.size = self._lay_out()
        self._starts = np.array([segment.start for segment in self.segments], dtype=np.int64)
        self._positions = {
            tensor.name: position
            for position, site in enumerate(self.sites)
            for tensor in untied([site])
        }

    def scenario_groups(
        self, numbers: NDArray[np.int64], rng: np.random.Generator | None = None
    ) -> tuple[FaultGroup, ...]:
        """The faults that numbers stand for, as the groups of one scenario.

        Args:
            numbers: int64 (n,), fault numbers in list order; a number may occur twice.
            rng: Source of randomness; needed unless the space is enumerable.

        Returns:
            One group a tensor, in the order of the sites; within a group in the order of the
            numbers.

        Raises:
            FaultError: A number is not in ``[0, size)``.
            ConfigError: A random model, and no ``rng``.
        """
        parts: dict[int, list[Columns]] = {}
        for segment, where in self._split(numbers):
            model, site = self.models[segment.model], self.sites[segment.site]
            columns = model.columns(site, numbers[where] - segment.start, _source(model, rng))
            placed = replace(columns, owner=where[columns.owner])
            parts.setdefault(segment.site, []).append(placed)
        return tuple(
            group
            for site in sorted(parts)
            for group in spread(self.sites[site], in_one_group(self.sites[site].name, parts[site]))
        )

    def single_groups(self, numbers: NDArray[np.int64]) -> list[tuple[FaultGroup, ...]]:
        """The groups of many scenarios of one fault each; fast for thousands.

        Args:
            numbers: int64 (n,), the fault number of each scenario.

        Returns:
            For each number what :meth:`scenario_groups` gives for it alone.

        Raises:
            FaultError: A number is not in ``[0, size)``.
            ConfigError: A fault model is random.
        """
        groups: list[tuple[FaultGroup, ...]] = [()] * len(numbers)
        for segment, where in self._split(numbers):
            model, site = self.models[segment.model], self.sites[segment.site]
            columns = model.columns(site, numbers[where] - segment.start, _source(model, None))
            for place, group in zip(
                where.tolist(), in_groups(site.name, columns, len(where)), strict=True
            ):
                groups[place] = spread(site, group)
        return groups

    def stretches(self, start: int, stop: int) -> Iterator[Stretch]:
        """All faults from ``start`` to ``stop - 1`` in columns, site by site.

        Raises:
            ConfigError: A fault model is random.
        """
        for position, segment in enumerate(self.segments):
            last = position + 1 == len(self.segments)
            end = self.size if last else self.segments[position + 1].start
            first, end = max(start, segment.start), min(stop, end)
            if first < end:
                model, site = self.models[segment.model], self.sites[segment.site]
                local = np.arange(first - segment.start, end - segment.start)
                yield Stretch(first, end, site, model.columns(site, local, _source(model, None)))

    def site_positions(self, numbers: NDArray[np.int64]) -> NDArray[np.int64]:
        """Position in ``sites`` of the site that each fault number is at, int64 (n,).

        Raises:
            FaultError: A number is not in ``[0, size)``.
        """
        found = np.zeros(len(numbers), np.int64)
        for segment, where in self._split(numbers):
            found[where] = segment.site
        return found

    def fault_number(self, groups: Sequence[FaultGroup]) -> int:
        """The number of a single-fault scenario, the inverse of :meth:`scenario_groups`.

        Raises:
            FaultError: The groups are not exactly one fault of this space.
        """
        group = self._alone(groups)
        if group is not None:
            position = self._positions[group.site]
            for segment in self.segments:
                model = self.models[segment.model]
                if segment.site == position and model.enumerable:
                    number = model.number(self.sites[position], group)
                    if number is not None:
                        return segment.start + number
        sites = ", ".join(repr(group.site) for group in groups) or "no site"
        raise FaultError(f"the faults on {sites} are not one fault of this fault space")

    def _alone(self, groups: Sequence[FaultGroup]) -> FaultGroup | None:
        """The one group of some groups; of tied steps the first one, if all are the same."""
        if not groups or groups[0].site not in self._positions:
            return None
        site = self.sites[self._positions[groups[0].site]]
        expected = sorted(tensor.name for tensor in untied([site]))
        same = all(replace(group, site=groups[0].site) == groups[0] for group in groups)
        found = sorted(group.site for group in groups)
        return groups[0] if same and found == expected else None

    def where(self, numbers: NDArray[np.int64]) -> Located:
        """Site, bit and field of each fault number; fast for millions.

        Args:
            numbers: int64 (n,).

        Raises:
            FaultError: A number is not in ``[0, size)``.
        """
        model = np.full(len(numbers), -1, dtype=np.int64)
        site, bit = model.copy(), model.copy()
        field = np.full(len(numbers), "", dtype="<U9")
        for segment, where in self._split(numbers):
            model[where], site[where] = segment.model, segment.site
            fault_model, there = self.models[segment.model], self.sites[segment.site]
            if fault_model.enumerable:
                local = numbers[where] - segment.start
                columns = fault_model.columns(there, local, _source(fault_model, None))
                found = touched(columns, len(where), there.element)
                bit[where], field[where] = found.bit, found.field
        return Located(model, site, bit, field)

    def describe(self) -> dict[str, object]:
        """What goes into file headers: enough to notice another space under the same recipe."""
        kinds = {site.kind for site in self.sites}
        return {
            "size": self.size,
            "bits": self.bits,
            "targets": [kind.value for kind in SiteKind if kind in kinds],
            "fault_models": [model.spec() for model in self.models],
            "sites": [site.name for site in self.sites],
            "sites_sha256": _digest(self.sites),
        }

    def _lay_out(self) -> tuple[tuple[Segment, ...], int]:
        segments: list[Segment] = []
        size = 0
        for place, model in enumerate(self.models):
            before = size
            for position, site in enumerate(self.sites):
                count = model.variants(site)
                if count:
                    segments.append(Segment(size, place, position))
                    size += count
            if size == before:
                raise FaultError(_applies_nowhere(model, self.sites))
        if size > _LARGEST:
            raise FaultError(f"the fault space has {size} faults, at most 2^62 can be numbered")
        return tuple(segments), size

    def _split(self, numbers: NDArray[np.int64]) -> Iterator[tuple[Segment, NDArray[np.int64]]]:
        """Positions in ``numbers`` by segment, both ascending."""
        outside = (numbers < 0) | (numbers >= self.size)
        if outside.any():
            raise FaultError(
                f"fault number {int(numbers[outside][0])} is out of range, the fault space has"
                f" {self.size} faults (numbers 0..{self.size - 1})"
            )
        owner = np.searchsorted(self._starts, numbers, side="right") - 1
        order = np.argsort(owner, kind="stable")
        used, first = np.unique(owner[order], return_index=True)
        for which, where in zip(used.tolist(), np.split(order, first[1:]), strict=False):
            yield self.segments[which], where


def site_bits(site: FaultSite) -> int:
    """Stored bits of a site, of one sample for a computed tensor.

    Raises:
        FaultError: Its shape is not known, because no workload was profiled.
    """
    return math.prod(shape_of_site(site)) * format_of(site.element).width


def element_variants(space: FaultSpace, start: int, stop: int) -> Variants | None:
    """Bits and fields of the faults of one element of a segment.

    None unless every element has the same variants, numbered element by element: that is so
    for the single-bit models of this package; of a user's own model it is checked at both ends.

    Args:
        space: The space.
        start: First fault number of a segment.
        stop: One past its last.
    """
    if not space.enumerable:
        return None
    site = space.sites[int(space.site_positions(np.array([start]))[0])]
    elements = site.layout.elements if site.layout else 0
    each, rest = divmod(stop - start, max(elements, 1))
    if rest or not 0 < each <= _PROBES:
        return None
    first = space.where(np.arange(start, start + each))
    last = space.where(np.arange(stop - each, stop))
    if not (np.array_equal(first.bit, last.bit) and np.array_equal(first.field, last.field)):
        return None
    return Variants(elements, tuple(first.bit.tolist()), tuple(first.field.tolist()))


def _source(model: FaultModel, rng: np.random.Generator | None) -> np.random.Generator:
    if rng is not None:
        return rng
    if not model.enumerable:
        raise ConfigError(f"fault model {model.spec()!r} is random: it needs a random generator")
    # Never drawn from: an enumerable model leaves it alone.
    return np.random.Generator(np.random.PCG64(0))


def _applies_nowhere(model: FaultModel, sites: tuple[FaultSite, ...]) -> str:
    types = sorted({site.element.name for site in sites})
    return (
        f"fault model {model.spec()!r} applies to none of the {len(sites)} chosen sites"
        f" ({', '.join(types)}); choose other sites, bits or another model"
    )


def _digest(sites: tuple[FaultSite, ...]) -> str:
    """Hash over what decides the meaning of fault numbers: names, types and shapes in order."""
    lines = [f"{site.name}\t{site.element.value}\t{list(shape_of_site(site))}" for site in sites]
    return hashlib.sha256("\n".join(lines).encode()).hexdigest()
