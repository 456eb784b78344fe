"""Reads .npz files, with pickles refused, and ONNX ``test_data_set_N`` folders."""

from __future__ import annotations

import re
import zipfile
import zlib
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from onnxfi.errors import WorkloadError
from onnxfi.graph import TensorSpec, read_tensor
from onnxfi.workload._candidates import Given, array_ways
from onnxfi.workload._dims import Dim, without
from onnxfi.workload._reading import EACH, Reading, Ways


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


_SET = re.compile(r"test_data_set_(\d+)")

Feed = dict[str, NDArray[Any]]


def read_datasets(folder: Path, inputs: Sequence[TensorSpec]) -> list[Feed]:
    """All sets of a folder, each as it is.

    Args:
        folder: A ``test_data_set_N`` folder, or one that holds such folders.
        inputs: The model's inputs, in the order of ``input_N.pb``.

    Raises:
        WorkloadError: There is no set, or a file is missing or unreadable.
    """
    return [_read_set(place, inputs) for place in _sets(folder)]


def dataset_ways(feeds: Sequence[Feed], given: Given) -> Ways:
    """The readings of sets: rows of an axis that inputs and outputs share, else a run a sample.

    Args:
        feeds: The sets.
        given: The model's inputs, with the shapes of the first set.
    """
    every = given.reading(dict.fromkeys(feeds[0], EACH))
    choice = given.choice
    if choice.runs:
        return Ways(ways=(every,), fallback=every)
    found = array_ways(given)
    # A set is laid out as the model takes it.
    rows = [
        reading
        for reading in found.ways
        if all(role.at == role.axis for role in reading.inputs.values())
    ]
    return Ways(ways=tuple(rows), fallback=every)


def joined_sets(feeds: Sequence[Feed], reading: Reading, where: str) -> Feed:
    """The arrays of all sets, for one reading: rows one after another, or a set an entry.

    Raises:
        WorkloadError: Sets differ in shape, or in an input that is the same for all samples.
    """
    joined: Feed = {}
    for name, role in reading.inputs.items():
        parts = [feed[name] for feed in feeds]
        if role.axis is not None:
            _same([without(part.shape, role.axis) for part in parts], name, where)
            joined[name] = np.concatenate(parts, axis=role.axis)
        elif role.at is not None:
            _same([part.shape for part in parts], name, where)
            joined[name] = np.stack(parts)
        else:
            if any(not np.array_equal(part, parts[0]) for part in parts[1:]):
                raise WorkloadError(
                    f"{where}: input {name!r} has no batch axis but differs between the sets; give"
                    f" one set, or --samples-are-runs to make each set a sample"
                )
            joined[name] = parts[0]
    return joined


def _sets(folder: Path) -> list[Path]:
    if _SET.fullmatch(folder.name):
        return [folder]
    found = [place for place in folder.iterdir() if place.is_dir() and _SET.fullmatch(place.name)]
    if not found:
        raise WorkloadError(
            f"{folder} holds no test_data_set_N folder; give an .npz file or such a folder"
        )
    return sorted(found, key=lambda place: int(place.name.rsplit("_", 1)[1]))


def _read_set(place: Path, inputs: Sequence[TensorSpec]) -> Feed:
    present = len(list(place.glob("input_*.pb")))
    if present != len(inputs):
        raise WorkloadError(
            f"{place} holds {present} input files, the model has {len(inputs)} inputs"
            f" (input_0.pb to input_{len(inputs) - 1}.pb)"
        )
    feed = {}
    for number, spec in enumerate(inputs):
        path = place / f"input_{number}.pb"
        if not path.is_file():
            raise WorkloadError(f"{path} is missing; it holds input {spec.name!r}")
        feed[spec.name] = read_tensor(path)
    return feed


def _same(shapes: Sequence[tuple[Dim, ...]], name: str, where: str) -> None:
    for shape in shapes:
        if shape != shapes[0]:
            raise WorkloadError(
                f"{where}: input {name!r} has shape {shapes[0]} in one set and {shape} in another;"
                f" samples of one workload share a shape"
            )
