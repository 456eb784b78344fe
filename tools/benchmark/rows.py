"""Rows: what one measurement found, or why there is none."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field
from typing import Any

Figure = float | int | str | tuple[float, float, float]


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """One line of a table.

    Attributes:
        task: ``t1`` to ``t6``.
        model: Name of the model.
        engine: Name of the engine; empty where none is involved.
        case: What is varied within a task, such as the number of flips.
        figures: What was measured; three numbers are a value and its 95 % interval. Names that end
            in ``ratio`` are over the fault-free run, ``_ms``, ``_s`` and ``_mib`` give units.
        skipped: Why there are no figures.
    """

    task: str
    model: str
    engine: str = ""
    case: str = ""
    figures: dict[str, Figure] = field(default_factory=dict)
    skipped: str | None = None

    def to_json(self) -> dict[str, Any]:
        """For the JSON file."""
        return asdict(self)
