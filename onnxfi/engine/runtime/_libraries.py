"""Operator libraries: shared libraries with operators of their own, named by the user alone.

They are code that runs in this process, so nothing that a model says ever loads one.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from onnxfi.engine.runtime._failures import from_onnxruntime, one_line
from onnxfi.engine.runtime._runtime import SessionOptions
from onnxfi.errors import ConfigError


def register_libraries(options: SessionOptions, paths: Sequence[str]) -> None:
    """Give a session the operators of shared libraries.

    Args:
        options: Of the session.
        paths: The libraries, in order; one that is named twice is registered once.

    Raises:
        ConfigError: A file is missing, or no library of operators that can be loaded here.
    """
    # A bare name would be looked for where the system keeps its libraries.
    for path in dict.fromkeys(Path(path).absolute() for path in paths):
        if not path.is_file():
            raise ConfigError(f"operator library {path} does not exist, or is not a file")
        try:
            options.register_custom_ops_library(str(path))
        except Exception as error:
            if not from_onnxruntime(error):
                raise
            raise ConfigError(
                f"{path} can't be loaded as an operator library: {one_line(error)}; give a shared"
                f" library for this machine that exports RegisterCustomOps"
            ) from error
