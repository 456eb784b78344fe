"""Reads ONNX ``test_data_set_N`` folders (``input_0.pb``, ``input_1.pb``, …)."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from onnxfi.errors import WorkloadError
from onnxfi.graph import TensorSpec, read_tensor
from onnxfi.workload._axes import BatchAxes, batch_axes

_SET = re.compile(r"test_data_set_(\d+)")

Feed = dict[str, NDArray[Any]]


def read_datasets(folder: Path, inputs: Sequence[TensorSpec]) -> Feed:
    """All sets of a folder as arrays with samples first.

    Args:
        folder: A ``test_data_set_N`` folder, or one that holds such folders.
        inputs: The model's inputs, in the order of ``input_N.pb``.

    Returns:
        Arrays by input name. Sets that fit the model's batch axes are joined row by row; otherwise
        each set is one sample, stacked along a new first axis.

    Raises:
        WorkloadError: There is no set, a file is missing or unreadable, or sets differ in shape.
    """
    feeds = [_read_set(place, inputs) for place in _sets(folder)]
    plan = batch_axes(inputs)
    if all(_rows(feed, plan) for feed in feeds):
        return _join(feeds, plan, folder)
    return {spec.name: _stack([feed[spec.name] for feed in feeds], spec, folder) for spec in inputs}


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


def _rows(feed: Feed, plan: BatchAxes) -> int:
    """Samples in one set, 0 where its inputs do not share a batch axis."""
    rows = {
        feed[name].shape[axis] if axis < feed[name].ndim else 0 for name, axis in plan.axes.items()
    }
    return rows.pop() if len(rows) == 1 else 0


def _join(feeds: list[Feed], plan: BatchAxes, folder: Path) -> Feed:
    joined: Feed = {}
    for name in feeds[0]:
        parts = [feed[name] for feed in feeds]
        if name in plan.axes:
            moved = [np.moveaxis(part, plan.axes[name], 0) for part in parts]
            _same([part.shape[1:] for part in moved], name, folder)
            joined[name] = np.concatenate(moved)
            continue
        if any(not np.array_equal(part, parts[0]) for part in parts[1:]):
            raise WorkloadError(
                f"{folder}: input {name!r} has no batch axis but differs between the sets; give"
                f" one set"
            )
        joined[name] = parts[0]
    return joined


def _stack(parts: list[NDArray[Any]], spec: TensorSpec, folder: Path) -> NDArray[Any]:
    _same([part.shape for part in parts], spec.name, folder)
    return np.stack(parts)


def _same(shapes: list[tuple[int, ...]], name: str, folder: Path) -> None:
    for shape in shapes:
        if shape != shapes[0]:
            raise WorkloadError(
                f"{folder}: input {name!r} has shape {shapes[0]} in one set and {shape} in another;"
                f" samples of one workload share a shape"
            )
