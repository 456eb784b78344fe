"""Reads a workload from any of its sources."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from numpy.typing import NDArray

from onnxfi.errors import WorkloadError
from onnxfi.graph import TensorSpec
from onnxfi.workload._check import workload_from_arrays
from onnxfi.workload._datasets import read_datasets
from onnxfi.workload._npz import read_npz
from onnxfi.workload._random import parse_random, random_arrays, random_sequences
from onnxfi.workload._sequences import sequences_from_arrays
from onnxfi.workload._stream import Stream
from onnxfi.workload._workload import Workload

Source = str | os.PathLike[str] | Mapping[str, NDArray[Any]]


def read_workload(
    source: Source, inputs: Sequence[TensorSpec], stream: Stream | None = None
) -> Workload:
    """Read and check the samples that scenarios are run over.

    Args:
        source: One of

            - an ``.npz`` file whose keys are the model's input names, first axis = sample, with
              an optional key ``labels`` (integers, one a sample); pickles are never loaded;
            - a ``test_data_set_N`` folder of ONNX tensors, or a folder of such folders;
            - ``random:N:SEED`` or ``random:N:SEED:DIM=SIZE,…``: N samples of random values;
            - a mapping of arrays, with the keys of the ``.npz`` file.
        inputs: The model's inputs.

            An array may also have one axis more than its input: then each sample is one whole
            input tensor. An input without a batch axis is a constant, fed whole in every run.
        stream: Which inputs are state; then each sample is a whole sequence, steps on axis 1
            (``random:N:SEED:steps=T``).

    Raises:
        WorkloadError: The source can't be read, or a name, dtype, shape or label does not fit.
            Values are never cast.
        UnsupportedModelError: The model has an input that can't be fed.
    """
    if isinstance(source, Mapping):
        return _made(source, inputs, stream, "arrays", "inputs")
    text = os.fspath(source)
    if text.startswith("random:"):
        request = parse_random(text)
        arrays = (
            random_arrays(request, inputs)
            if stream is None
            else random_sequences(request, inputs, stream)
        )
        return _made(arrays, inputs, stream, text, text)
    path = Path(text)
    if path.is_dir():
        if stream is not None:
            raise WorkloadError(
                f"{path} holds single runs, and --state needs whole sequences; give an .npz file"
            )
        return _made(read_datasets(path, inputs), inputs, None, text, text)
    return _made(read_npz(path), inputs, stream, text, text)


def _made(
    arrays: Mapping[str, NDArray[Any]],
    inputs: Sequence[TensorSpec],
    stream: Stream | None,
    source: str,
    where: str,
) -> Workload:
    if stream is not None:
        return sequences_from_arrays(arrays, inputs, stream, source, where)
    return workload_from_arrays(arrays, inputs, source, where)
