"""Tools and studies find their own packages beside them, as when they are run."""

from __future__ import annotations

import sys
from pathlib import Path

TOOLS = Path(__file__).resolve().parents[2] / "tools"

sys.path[:0] = [str(TOOLS), *map(str, TOOLS.glob("studies/*/"))]
