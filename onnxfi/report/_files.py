"""Text files that are written whole or not at all: reports and exports."""

from __future__ import annotations

import contextlib
import io
import os
from collections.abc import Iterator
from pathlib import Path
from typing import TextIO

from onnxfi.files import atomic_file


@contextlib.contextmanager
def atomic_text(path: str | os.PathLike[str]) -> Iterator[TextIO]:
    """Open a UTF-8 file for writing; it appears under ``path`` only when the block ends well.

    Line ends are written as they are given, since CSV brings its own.
    """
    with atomic_file(Path(path)) as raw:
        file = io.TextIOWrapper(raw, encoding="utf-8", newline="")
        yield file
        file.detach()
