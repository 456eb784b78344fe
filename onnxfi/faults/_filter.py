"""Site filters: which of a model's sites a campaign is about."""

from __future__ import annotations

import difflib
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase

from onnxfi.errors import ConfigError
from onnxfi.faults._site import FaultSite, SiteKind


@dataclass(frozen=True, slots=True, kw_only=True)
class SiteFilter:
    """A choice among sites; what is not given does not restrict.

    Attributes:
        targets: Kinds of sites, as :class:`SiteKind` or their names.
        include: Globs of site names (``*``, ``?``, ``[...]``, case counts); one must match. A full
            name matches itself, whatever characters it has.
        exclude: Globs of site names, none of which may match.
        op_types: Operators: of the layer for a stored tensor, the producer of a computed one.
    """

    targets: tuple[SiteKind | str, ...] = ()
    include: tuple[str, ...] = ()
    exclude: tuple[str, ...] = ()
    op_types: tuple[str, ...] = ()

    def select(self, sites: Sequence[FaultSite]) -> tuple[FaultSite, ...]:
        """The chosen sites, in the given order.

        Raises:
            ConfigError: A target is no kind of site, a glob to include or an operator matches
                nothing, or no site is left.
        """
        kinds = [_kind(target) for target in self.targets]
        left = tuple(site for site in sites if not kinds or site.kind in kinds)
        if not left:
            raise ConfigError(_none_of(kinds, sites))
        for glob in self.include:
            _need(glob, [site.name for site in left], "site")
        for op_type in self.op_types:
            _need(op_type, [site.op_type for site in left], "operator")
        chosen = tuple(site for site in left if self._takes(site))
        if not chosen:
            raise ConfigError(
                f"no site is left of {len(left)} after --include, --exclude and --op-type"
            )
        return chosen

    def _takes(self, site: FaultSite) -> bool:
        wanted = not self.include or any(_matches(site.name, glob) for glob in self.include)
        unwanted = any(_matches(site.name, glob) for glob in self.exclude)
        return wanted and not unwanted and (not self.op_types or site.op_type in self.op_types)


def _matches(name: str, glob: str) -> bool:
    return name == glob or fnmatchcase(name, glob)


def _kind(target: SiteKind | str) -> SiteKind:
    try:
        return SiteKind(target)
    except ValueError:
        names = [kind.value for kind in SiteKind]
        near = difflib.get_close_matches(str(target), names, 1)
        hint = f"did you mean {near[0]!r}?" if near else f"kinds: {', '.join(names)}"
        raise ConfigError(f"{str(target)!r} is not a kind of site; {hint}") from None


def _need(glob: str, names: Iterable[str], what: str) -> None:
    known = list(dict.fromkeys(names))
    if any(_matches(name, glob) for name in known):
        return
    near = difflib.get_close_matches(glob, known, 3, cutoff=0.4)
    hint = f"; near: {', '.join(map(repr, near))}" if near else ""
    raise ConfigError(f"no chosen {what} matches {glob!r}{hint}; see `onnxfi sites`")


def _none_of(kinds: Iterable[SiteKind], sites: Iterable[FaultSite]) -> str:
    count = Counter(site.kind.value for site in sites)
    has = ", ".join(f"{kind} {number}" for kind, number in sorted(count.items())) or "no sites"
    asked = ", ".join(kind.value for kind in kinds) or "sites"
    return f"the model has no {asked} sites; it has: {has}"
