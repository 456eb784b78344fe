"""How much memory a worker may keep sessions and computed values in."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

from onnxfi.engine import DEFAULT_MEMORY_BYTES

#: One part in so many of the free memory is used unless the user says otherwise.
SHARE = 4


def worker_limit(limit_bytes: int | None, workers: int) -> int:
    """What a worker may keep: the limit given, or its part of a quarter of the free memory.

    Args:
        limit_bytes: What the user has set for each worker; None for the default.
        workers: Workers on this machine.
    """
    if limit_bytes is not None:
        return limit_bytes
    free = free_memory()
    return DEFAULT_MEMORY_BYTES if free is None else free // (SHARE * workers)


def free_memory(root: Path = Path("/")) -> int | None:
    """Bytes of memory that this process could take without harm; None if there is no telling.

    What the system has available, or less where a control group (a container, a batch job)
    allows less. Control groups of version 2 are looked at.

    Args:
        root: Where ``proc`` and ``sys`` are.
    """
    system = _available(root / "proc/meminfo")
    known = [*([] if system is None else [system]), *_group_rooms(root)]
    return max(0, min(known)) if known else None


def _available(meminfo: Path) -> int | None:
    """What the kernel reckons can be had without swapping, or the pages that are free."""
    for line in _lines(meminfo):
        name, _, rest = line.partition(":")
        if name == "MemAvailable":
            return int(rest.split()[0]) * 1024
    try:
        return os.sysconf("SC_AVPHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    except (AttributeError, OSError, ValueError):
        return None


def _group_rooms(root: Path) -> Iterator[int]:
    """Bytes left in the control group of this process and in those around it."""
    own = next((line[3:] for line in _lines(root / "proc/self/cgroup") if line[:3] == "0::"), None)
    if own is None:
        return
    top = root / "sys/fs/cgroup"
    group = top / own.lstrip("/")
    for folder in (group, *group.parents):
        limit, used = _number(folder / "memory.max"), _number(folder / "memory.current")
        if limit is not None and used is not None:
            yield limit - used + _droppable(folder / "memory.stat")
        if folder == top:
            return


def _droppable(stat: Path) -> int:
    """Bytes of files that a group holds in memory and would give up first."""
    for line in _lines(stat):
        name, _, value = line.partition(" ")
        if name == "inactive_file":
            return int(value)
    return 0


def _number(path: Path) -> int | None:
    """The number in a file; None if there is no such file, or it says ``max``."""
    text = next(iter(_lines(path)), "").strip()
    return int(text) if text.isdecimal() else None


def _lines(path: Path) -> list[str]:
    try:
        return path.read_text(encoding="ascii", errors="replace").splitlines()
    except OSError:
        return []
