"""Reads a workload from any of its sources."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from numpy.typing import NDArray

from onnxfi.graph import TensorSpec
from onnxfi.workload._check import workload_from_arrays
from onnxfi.workload._datasets import read_datasets
from onnxfi.workload._npz import read_npz
from onnxfi.workload._random import parse_random, random_arrays
from onnxfi.workload._workload import Workload

Source = str | os.PathLike[str] | Mapping[str, NDArray[Any]]


def read_workload(source: Source, inputs: Sequence[TensorSpec]) -> Workload:
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

    Raises:
        WorkloadError: The source can't be read, or a name, dtype, shape or label does not fit.
            Values are never cast.
        UnsupportedModelError: The model has an input that can't be fed.
    """
    if isinstance(source, Mapping):
        return workload_from_arrays(source, inputs, source="arrays", where="inputs")
    text = os.fspath(source)
    if text.startswith("random:"):
        arrays = random_arrays(parse_random(text), inputs)
        return workload_from_arrays(arrays, inputs, source=text, where=text)
    path = Path(text)
    arrays = read_datasets(path, inputs) if path.is_dir() else read_npz(path)
    return workload_from_arrays(arrays, inputs, source=text, where=text)
