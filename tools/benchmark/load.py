"""Other work on this machine: what it would spoil is wall time, so it is looked for first."""

from __future__ import annotations

import os
import time
from pathlib import Path

#: Cores that others may keep busy on average while wall time is measured.
QUIET = 0.1
_LOOK_S = 2.0
_STAT = Path("/proc/stat")


class Others:
    """Cores that other processes keep busy, from now on.

    From the machine's own count of busy time, what a hypervisor took included, less the CPU time
    of this process and its finished children. The load average, which stands in where there is no
    such count, would still hold the benchmark's own work of the minutes before.
    """

    def __init__(self) -> None:
        self._busy = _busy_s()
        self._own = _own_s()
        self._start = time.monotonic()

    def cores(self) -> float:
        """Their mean number since this was made."""
        now = _busy_s()
        if now is None or self._busy is None:
            return _load()
        passed = max(time.monotonic() - self._start, 1e-9)
        return max(0.0, (now - self._busy - (_own_s() - self._own)) / passed)


def others_now() -> float:
    """Cores that other processes keep busy, looked at for two seconds."""
    others = Others()
    time.sleep(_LOOK_S)
    return others.cores()


def _load() -> float:
    return os.getloadavg()[0] if hasattr(os, "getloadavg") else 0.0


def _own_s() -> float:
    """CPU seconds of this process and of its children that have ended."""
    spent = os.times()
    return spent.user + spent.system + spent.children_user + spent.children_system


def _busy_s() -> float | None:
    """CPU seconds of the whole machine, all cores, idle and waiting left out."""
    if not _STAT.exists():
        return None
    # user nice system idle iowait irq softirq steal
    ticks = [int(count) for count in _STAT.read_text().split("\n", 1)[0].split()[1:9]]
    idle = sum(ticks[3:5])
    return (sum(ticks) - idle) / os.sysconf("SC_CLK_TCK")
