"""What to say of a name that nobody knows."""

from __future__ import annotations

import difflib
from collections.abc import Iterable


def unknown_name(what: str, got: object, known: Iterable[str], *, where: str = "") -> str:
    """A message for a name that is not among the known ones.

    Args:
        what: What it should be the name of, such as ``sampler``.
        got: What was given.
        known: The names that there are.
        where: Where it was given, such as ``runs/a/campaign.json``.

    Returns:
        Such as ``unknown sampler 'unifrom'; did you mean 'uniform'? There are: uniform, top``.
    """
    names = list(known)
    near = difflib.get_close_matches(str(got), names, 1)
    hint = f"did you mean {near[0]!r}? There are" if near else "there are"
    place = f" in {where}" if where else ""
    return f"unknown {what} {got!r}{place}; {hint}: {', '.join(names) or 'none'}"
