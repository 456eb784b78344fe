"""What a check found, and running checks so that one that breaks does not hide the others."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from onnxfi.engine import RunFailedError
from onnxfi.errors import OnnxFIError

MODELS = Path(__file__).resolve().parents[2] / "models"


@dataclass(frozen=True, slots=True, kw_only=True)
class Check:
    """A statement about a provider, and whether it held.

    Attributes:
        claim: What ought to hold.
        subject: Of what: an element type, a model.
        ok: Whether it held.
        detail: Figures, or why it could not be checked.
    """

    claim: str
    subject: str
    ok: bool
    detail: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Effort:
    """How much is checked.

    Attributes:
        provider: The execution provider.
        models: File names in ``models/``.
        scenarios: Random scenarios a comparison.
        images: Images a scenario.
        repeats: Timed runs a line of the benchmark.
    """

    provider: str
    models: tuple[str, ...]
    scenarios: int
    images: int
    repeats: int

    @property
    def paths(self) -> tuple[Path, ...]:
        """The models' files."""
        return tuple(MODELS / name for name in self.models)


def attempt(claim: str, subject: str, check: Callable[[], tuple[bool, str]]) -> Check:
    """Carry out a check; a run that fails is a check that did not hold."""
    try:
        ok, detail = check()
    except (OnnxFIError, RunFailedError) as error:
        ok, detail = False, " ".join(f"{type(error).__name__}: {error}".split())
    return Check(claim=claim, subject=subject, ok=ok, detail=detail)
