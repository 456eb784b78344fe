"""scipy's distributions, imported only where one is needed: they take a while to load."""

from __future__ import annotations

from importlib import import_module
from typing import Any


def distributions() -> Any:
    """``scipy.stats``, whose distributions have no types."""
    return import_module("scipy.stats")
