"""Packages that import their modules when one of their names is first used."""

from __future__ import annotations

import importlib
from collections.abc import Callable, Mapping, Sequence
from typing import Any


def lazy_exports(package: str, modules: Mapping[str, Sequence[str]]) -> Callable[[str], Any]:
    """The ``__getattr__`` of a package whose names are imported on first use (PEP 562).

    The package imports the same names ``if TYPE_CHECKING``, for editors and type checkers, and sets
    its ``__getattr__`` in the ``else`` branch.

    Args:
        package: Name of the package: its ``__name__``.
        modules: Names that each module of the package defines, by the module's own name.
    """
    places = {name: module for module, names in modules.items() for name in names}

    def get(name: str) -> Any:
        if name not in places:
            raise AttributeError(f"module {package!r} has no attribute {name!r}")
        found = getattr(importlib.import_module(f"{package}.{places[name]}"), name)
        setattr(importlib.import_module(package), name, found)
        return found

    return get
