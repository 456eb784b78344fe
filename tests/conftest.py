"""What all tests share: they run from the project's root, wherever pytest was started."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import settings

# A deadline would assert a time, and machines are busy.
settings.register_profile("onnxfi", deadline=None)
settings.load_profile("onnxfi")

ROOT = Path(__file__).resolve().parents[1]


@pytest.fixture(autouse=True)
def in_the_projects_root(monkeypatch: pytest.MonkeyPatch) -> None:
    """Paths such as ``models/...`` are those of the documentation."""
    monkeypatch.chdir(ROOT)
