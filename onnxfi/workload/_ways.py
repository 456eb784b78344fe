"""The readings that a source of samples allows, before any of them is tried."""

from __future__ import annotations

from dataclasses import dataclass

from onnxfi.workload._reading import Reading

#: Readings of a source that are tried, at most.
MOST_WAYS = 24


@dataclass(frozen=True, slots=True, kw_only=True)
class Ways:
    """The readings that are possible, as far as shapes tell.

    Attributes:
        ways: Readings to be tried by running the model, likely ones first.
        fallback: What holds where none of them is borne out by runs; None to refuse then.
        whole: The reading of all arrays, as they are, as one run's inputs; None if they don't fit.
        doubt: What is odd about the arrays, for messages where the model runs in no reading.
    """

    ways: tuple[Reading, ...]
    fallback: Reading | None
    whole: Reading | None = None
    doubt: str | None = None
