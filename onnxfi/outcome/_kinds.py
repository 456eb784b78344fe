"""The outcomes of one sample, in the order in which they are tested."""

from __future__ import annotations

import enum


class Outcome(enum.IntEnum):
    """What a scenario did to one sample; the value is its code in int8 arrays of outcomes.

    ``DUE`` is a detected unrecoverable error: whoever runs the network can notice it.
    """

    MASKED = 0
    TOLERABLE = 1
    CRITICAL = 2
    DUE_NONFINITE = 3
    DUE_EXCEPTION = 4
    DUE_TIMEOUT = 5
    DUE_CRASH = 6

    @property
    def due(self) -> bool:
        """True for the four detected unrecoverable errors."""
        return self >= Outcome.DUE_NONFINITE

    @property
    def failed(self) -> bool:
        """True for a sample that counts as failed: due or critical."""
        return self >= Outcome.CRITICAL

    @property
    def label(self) -> str:
        """The word used in files and tables, such as ``due_nonfinite``."""
        return self.name.lower()
