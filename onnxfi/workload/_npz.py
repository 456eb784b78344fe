"""Reads .npz files, with pickles refused."""

from __future__ import annotations

import zipfile
import zlib
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from onnxfi.errors import WorkloadError


def read_npz(path: Path) -> dict[str, NDArray[Any]]:
    """All arrays of an .npz file.

    Raises:
        WorkloadError: The file is missing, damaged, not an .npz file, or holds pickled objects.
    """
    try:
        # Opened here, since numpy leaves the file open when its archive turns out to be damaged.
        with path.open("rb") as file:
            loaded = np.load(file, allow_pickle=False)
            if isinstance(loaded, np.ndarray):
                raise WorkloadError(
                    f"{path} is a single array; save it with numpy.savez, which names the model"
                    f" input: numpy.savez(file, <input>=array)"
                )
            with loaded:
                return {name: _member(loaded, name, path) for name in loaded.files}
    except FileNotFoundError:
        raise WorkloadError(f"inputs file {path} does not exist") from None
    except (OSError, EOFError, ValueError, zipfile.BadZipFile, zlib.error) as error:
        raise WorkloadError(f"{path} can't be read as an .npz file: {_line(error)}") from None


def _member(archive: Any, name: str, path: Path) -> NDArray[Any]:
    try:
        values = archive[name]
    except ValueError as error:
        if "allow_pickle" not in str(error):
            raise
        raise WorkloadError(
            f"{path}: array {name!r} holds pickled Python objects, which are never loaded;"
            f" save it as a numeric or unicode array"
        ) from None
    if not isinstance(values, np.ndarray):
        raise WorkloadError(f"{path}: member {name!r} is not a numpy array")
    return values


def _line(error: Exception) -> str:
    text = " ".join(str(error).split())
    if "pickle" in text:
        return "it is not one (a pickle or another format)"
    return text or type(error).__name__
