"""Site filters: which of a model's sites a campaign is about."""

from __future__ import annotations

import difflib
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase
from typing import TypeVar

from onnxfi.errors import ConfigError
from onnxfi.faults.sites import FaultSite, LeftOut, NeuronPart, SiteKind
from onnxfi.faults.space._derived import at_gates, find_site, tie, untied

_Choice = TypeVar("_Choice", SiteKind, NeuronPart)


@dataclass(frozen=True, slots=True, kw_only=True)
class SiteFilter:
    """A choice among sites; what is not given does not restrict.

    Attributes:
        targets: Kinds of sites, as :class:`SiteKind` or their names.
        include: Globs of site names (``*``, ``?``, ``[...]``, case counts); one must match. A full
            name matches itself, whatever characters it has.
        exclude: Globs of site names, none of which may match.
        op_types: Operators: of the layer for a stored tensor, the producer of a computed one.
        steps: Time steps. Of sites that belong to a step, those of these steps; a repeated tensor
            is replaced by its sites ``NAME@STEP``, one for each of these steps that it has.
        parts: Parts of spiking neurons, as :class:`NeuronPart` or their names.
        over_steps: Tie the chosen steps of each tensor into one site, so that a fault in it is
            there in all of them.
        gates: Gates of recurrent operators. A tensor that is divided into gates is replaced by its
            sites ``NAME[gate=f]`` of these gates; others are left out.
    """

    targets: tuple[SiteKind | str, ...] = ()
    include: tuple[str, ...] = ()
    exclude: tuple[str, ...] = ()
    op_types: tuple[str, ...] = ()
    steps: tuple[int, ...] = ()
    parts: tuple[NeuronPart | str, ...] = ()
    over_steps: bool = False
    gates: tuple[str, ...] = ()

    def select(self, sites: Sequence[FaultSite]) -> tuple[FaultSite, ...]:
        """The chosen sites, in the given order.

        Raises:
            ConfigError: A target is no kind of site or a part none of a neuron, a glob to include,
                an operator or a part matches nothing, no site has a chosen step or gate, no site
                is left, or steps that are to be tied differ in type or shape.
        """
        kinds = [_kind(target) for target in self.targets]
        left = tuple(site for site in sites if not kinds or site.kind in kinds)
        if not left:
            raise ConfigError(_none_of(kinds, sites))
        left = self._of_parts(self._at_steps(left))
        if self.gates:
            left = at_gates(left, self.gates)
        for glob in self.include:
            _need(glob, [name for site in left for name in _names(site)], "site")
        for op_type in self.op_types:
            _need(op_type, [site.op_type for site in left], "operator")
        chosen = tuple(site for site in left if self._takes(site))
        if not chosen:
            raise ConfigError(
                f"no site is left of {len(left)} after --include, --exclude and --op-type"
            )
        check_steps(self.steps, untied(chosen))
        return tie(chosen) if self.over_steps else chosen

    def would_take(self, left: LeftOut) -> bool:
        """Whether a tensor that is no site is of the chosen kinds, names and operators."""
        kinds = [_kind(target) for target in self.targets]
        # Nobody can say which stored kind a tensor is that no operator takes for any.
        wanted = any(kind.stored for kind in kinds) if left.kind is None else left.kind in kinds
        named = not self.include or _any_match(left.name, self.include)
        operated = not self.op_types or left.op_type in self.op_types
        return (
            (wanted or not kinds) and named and operated and not _any_match(left.name, self.exclude)
        )

    def _at_steps(self, sites: tuple[FaultSite, ...]) -> tuple[FaultSite, ...]:
        """The sites of the chosen steps; and single steps that are included by their full name."""
        by_name = {site.name: site for site in sites}
        if not self.steps:
            named = [find_site(glob, by_name) for glob in self.include if glob not in by_name]
            return (*sites, *filter(None, named))
        steps = set(self.steps)
        found: list[FaultSite] = []
        for site in sites:
            if site.step is not None:
                found += [site] * (site.step in steps)
            elif site.repeated:
                found += filter(None, map(site.at, self.steps))
        check_steps(self.steps, found, sites)
        return tuple(found)

    def _of_parts(self, sites: tuple[FaultSite, ...]) -> tuple[FaultSite, ...]:
        """The sites that are a chosen part of a neuron."""
        wanted = [_part(name) for name in self.parts]
        there = {site.part for site in sites if site.part is not None}
        for part in wanted:
            if part not in there:
                has = ", ".join(sorted(there)) or "none, for it is not recognised as a spiking one"
                raise ConfigError(
                    f"no chosen site is the {part} of a spiking neuron; parts in this model: {has}"
                )
        return tuple(site for site in sites if not wanted or site.part in wanted)

    def _takes(self, site: FaultSite) -> bool:
        names = _names(site)
        wanted = not self.include or any(_match(names, glob) for glob in self.include)
        unwanted = any(_match(names, glob) for glob in self.exclude)
        return wanted and not unwanted and (not self.op_types or site.op_type in self.op_types)


def check_steps(
    steps: Iterable[int], chosen: Iterable[FaultSite], sites: Iterable[FaultSite] = ()
) -> None:
    """Refuse chosen steps that no site is about.

    Args:
        steps: The steps.
        chosen: The sites that were chosen by them.
        sites: Those that were chosen from; for the message.

    Raises:
        ConfigError: There is such a step; the message names the steps that there are.
    """
    there = {site.step for site in chosen if site.step is not None}
    missing = sorted(set(steps) - there)
    if not missing:
        return
    there |= {site.step for site in sites if site.step is not None}
    layouts = [site.layout for site in sites if site.repeated and site.layout is not None]
    there |= {step for each in layouts if each.steps for step in (0, each.steps - 1)}
    has = f"sites have steps {min(there)} to {max(there)}" if there else "no site has a step"
    raise ConfigError(f"no chosen site has step {missing[0]}; {has}; see `onnxfi sites`")


def _names(site: FaultSite) -> tuple[str, ...]:
    """What globs are held against: the site's name, and the tensor's where that is another."""
    return tuple(dict.fromkeys((site.name, site.tensor)))


def _any_match(name: str, globs: Iterable[str]) -> bool:
    return any(name_matches(name, glob) for glob in globs)


def _match(names: Iterable[str], glob: str) -> bool:
    return any(name_matches(name, glob) for name in names)


def name_matches(name: str, glob: str) -> bool:
    """Whether a glob matches a name; a full name matches itself, whatever characters it has."""
    return name == glob or fnmatchcase(name, glob)


def _kind(target: SiteKind | str) -> SiteKind:
    return _known(SiteKind, target, "kind of site", "kinds")


def _part(part: NeuronPart | str) -> NeuronPart:
    return _known(NeuronPart, part, "part of a spiking neuron", "parts")


def _known(among: type[_Choice], given: str, what: str, several: str) -> _Choice:
    """The member of an enumeration that a text names."""
    try:
        return among(given)
    except ValueError:
        names = [one.value for one in among]
        near = difflib.get_close_matches(str(given), names, 1)
        hint = f"did you mean {near[0]!r}?" if near else f"{several}: {', '.join(names)}"
        raise ConfigError(f"{str(given)!r} is not a {what}; {hint}") from None


def _need(glob: str, names: Iterable[str], what: str) -> None:
    known = list(dict.fromkeys(names))
    if any(name_matches(name, glob) for name in known):
        return
    near = difflib.get_close_matches(glob, known, 3, cutoff=0.4)
    hint = f"; near: {', '.join(map(repr, near))}" if near else ""
    raise ConfigError(f"no chosen {what} matches {glob!r}{hint}; see `onnxfi sites`")


def _none_of(kinds: Iterable[SiteKind], sites: Iterable[FaultSite]) -> str:
    count = Counter(site.kind.value for site in sites)
    has = ", ".join(f"{kind} {number}" for kind, number in sorted(count.items())) or "no sites"
    asked = ", ".join(kind.value for kind in kinds) or "sites"
    return f"the model has no {asked} sites; it has: {has}"
