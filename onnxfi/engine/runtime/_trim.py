"""Giving freed memory back to the system."""

from __future__ import annotations

import ctypes
import sys


def trim() -> None:
    """Give back what is free in the heap, where the C library would keep it (glibc).

    What graphs are opened with, twins of the model among it, comes to several times the model.
    """
    if not sys.platform.startswith("linux"):
        return
    found = getattr(ctypes.CDLL(None), "malloc_trim", None)
    if found is not None:
        found(ctypes.c_size_t(0))
