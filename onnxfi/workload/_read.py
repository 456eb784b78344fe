"""Opens the sources of workloads: which readings each allows, and the workload of one reading."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from onnxfi.errors import WorkloadError
from onnxfi.workload._candidates import Given, array_ways
from onnxfi.workload._check import checked, workload_of
from onnxfi.workload._files import dataset_ways, joined_sets, read_datasets, read_npz
from onnxfi.workload._random import (
    RandomRequest,
    parse_random,
    random_arrays,
    random_sequences,
    random_ways,
)
from onnxfi.workload._reading import Reading, SampleChoice, Ways, check_choice, output_axes
from onnxfi.workload._sequences import SequenceArrays, sequences_of, stream_ways

if TYPE_CHECKING:
    from onnxfi.graph import TensorSpec
    from onnxfi.workload._stream import StateStream
    from onnxfi.workload._workload import Workload

Source = str | os.PathLike[str] | Mapping[str, NDArray[Any]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Signature:
    """What a model takes and gives, as far as samples go.

    Attributes:
        inputs: Its inputs.
        outputs: Its outputs.
        stream: Which of them are state; then each sample is a whole sequence, steps on axis 1
            (``random:N:SEED:steps=T``).
    """

    inputs: Sequence[TensorSpec]
    outputs: Sequence[TensorSpec]
    stream: StateStream | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class SampleSource:
    """A source of samples, before it is known what a sample is.

    Attributes:
        where: How messages name it.
        choice: What the user says about samples.
        runs: Whether each part of it is a run by itself, as a ``test_data_set_N`` is.
        ways: Gives the readings that it allows; raises WorkloadError if there are none.
        workload: Gives the samples, read in one way; raises WorkloadError if they can't be read so.
    """

    where: str
    choice: SampleChoice
    runs: bool
    ways: Callable[[], Ways]
    workload: Callable[[Reading], Workload]


def open_source(
    source: Source, signature: Signature, choice: SampleChoice | None = None
) -> SampleSource:
    """Read the samples that scenarios are run over, up to what a sample is.

    Args:
        source: One of

            - an ``.npz`` file whose keys are the model's input names, first axis = sample, with
              an optional key ``labels`` (integers, one a sample); pickles are never loaded;
            - a ``test_data_set_N`` folder of ONNX tensors, or a folder of such folders;
            - ``random:N:SEED`` or ``random:N:SEED:DIM=SIZE,…``: N samples of random values;
            - a mapping of arrays, with the keys of the ``.npz`` file.
        signature: What the model takes and gives.
        choice: What the user says about samples.

    Raises:
        WorkloadError: The source can't be read, or a name or dtype does not fit. Values are never
            cast.
        UnsupportedModelError: The model has an input that can't be fed.
        ConfigError: The choice names what the model has not.
    """
    choice = choice or SampleChoice()
    check_choice(choice, signature.inputs, signature.outputs)
    if isinstance(source, Mapping):
        return _recorded(source, signature, choice, ("arrays", "inputs"))
    text = os.fspath(source)
    if text.startswith("random:"):
        return _random(parse_random(text), signature, choice, text)
    path = Path(text)
    if not path.is_dir():
        return _recorded(read_npz(path), signature, choice, (text, text))
    if signature.stream is not None:
        raise WorkloadError(
            f"{path} holds single runs, and --state needs whole sequences; give an .npz file"
        )
    return _sets(path, signature, choice)


def read_workload(source: Source, signature: Signature, reading: Reading) -> Workload:
    """The samples of a source of which it is known what a sample is. Errors as there."""
    return open_source(source, signature).workload(reading)


def _recorded(
    arrays: Mapping[str, NDArray[Any]],
    signature: Signature,
    choice: SampleChoice,
    names: tuple[str, str],
) -> SampleSource:
    """Arrays that hold all samples; ``names`` are those of records and of messages."""
    inputs, (source, where) = signature.inputs, names
    said = output_axes(choice, signature.outputs)
    if signature.stream is not None:
        stream = signature.stream
        given = SequenceArrays(
            arrays=arrays, inputs=inputs, stream=stream, source=source, where=where
        )
        ranks = {name: np.ndim(values) for name, values in arrays.items()}
        return SampleSource(
            where=where,
            choice=choice,
            runs=False,
            ways=lambda: stream_ways(inputs, stream, ranks, choice, said),
            workload=lambda reading: sequences_of(given, reading),
        )
    found, labels = checked(arrays, inputs, where)
    against = Given(
        inputs=inputs,
        shapes={name: values.shape for name, values in found.items()},
        labels=None if labels is None else len(labels),
        choice=choice,
        outputs=said,
        where=where,
    )
    return SampleSource(
        where=where,
        choice=choice,
        runs=False,
        ways=lambda: array_ways(against),
        workload=lambda reading: workload_of(found, reading, inputs, labels, source),
    )


def _sets(folder: Path, signature: Signature, choice: SampleChoice) -> SampleSource:
    inputs, where = signature.inputs, str(folder)
    feeds = [checked(feed, inputs, where)[0] for feed in read_datasets(folder, inputs)]
    against = Given(
        inputs=inputs,
        shapes={name: values.shape for name, values in feeds[0].items()},
        labels=None,
        choice=choice,
        outputs=output_axes(choice, signature.outputs),
        where=where,
    )
    return SampleSource(
        where=where,
        choice=choice,
        runs=True,
        ways=lambda: dataset_ways(feeds, against),
        workload=lambda reading: workload_of(
            joined_sets(feeds, reading, where), reading, inputs, None, where
        ),
    )


def _random(
    request: RandomRequest, signature: Signature, choice: SampleChoice, text: str
) -> SampleSource:
    """Random samples; of a streaming model sequences."""
    if signature.stream is not None:
        return _random_sequences(request, signature, signature.stream, choice, text)
    inputs = signature.inputs
    said = output_axes(choice, signature.outputs)

    def made(reading: Reading) -> Workload:
        found, _ = checked(random_arrays(request, inputs, reading), inputs, text)
        return workload_of(found, reading, inputs, None, text)

    return SampleSource(
        where=text,
        choice=choice,
        runs=False,
        ways=lambda: random_ways(request, inputs, choice, said),
        workload=made,
    )


def _random_sequences(
    request: RandomRequest,
    signature: Signature,
    stream: StateStream,
    choice: SampleChoice,
    text: str,
) -> SampleSource:
    inputs = signature.inputs
    said = output_axes(choice, signature.outputs)

    def ways() -> Ways:
        fed = [spec for spec in inputs if spec.name in stream.inputs]
        lead = random_ways(request, fed, choice, said, stepped=True).ways[0].inputs
        every = stream_ways(inputs, stream, {}, choice, said)
        # What sizes are given for has no samples on it.
        alike = tuple(
            reading
            for reading in every.ways
            if all(reading.inputs[name] == role for name, role in lead.items())
        )
        return Ways(ways=alike or every.ways, fallback=every.fallback)

    def made(reading: Reading) -> Workload:
        arrays = random_sequences(request, inputs, stream, reading)
        given = SequenceArrays(arrays=arrays, inputs=inputs, stream=stream, source=text, where=text)
        return sequences_of(given, reading)

    return SampleSource(where=text, choice=choice, runs=False, ways=ways, workload=made)
