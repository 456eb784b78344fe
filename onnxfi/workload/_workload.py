"""The workload value: samples, constants, labels, and how a batch of them is fed."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, replace
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from onnxfi.errors import ConfigError, WorkloadError

if TYPE_CHECKING:
    from onnxfi.workload._reading import Reading
    from onnxfi.workload._stream import StateStream

Labels: TypeAlias = NDArray[np.int64 | np.str_]
"""The right answer of each sample: the number of its class, or its name as the model says it."""


def read_labels(values: NDArray[Any], where: str) -> Labels:
    """Labels as int64 or unicode (samples,).

    Raises:
        WorkloadError: They are something else.
    """
    labels = np.asarray(values)
    if labels.ndim == 1 and labels.dtype.kind in "iu":
        return labels.astype(np.int64)
    if labels.ndim == 1 and labels.dtype.kind in "OUT" and all(isinstance(v, str) for v in labels):
        return labels.astype(np.str_)
    shape = ", ".join(map(str, labels.shape))
    raise WorkloadError(
        f"{where}: labels are {labels.dtype} ({shape}); expected integer class numbers, or words"
        " where the model answers in words, of shape (samples,)"
    )


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Workload:
    """The samples that every scenario is run over.

    Attributes:
        inputs: Input name to its samples, always along axis 0 of the array (also where the model
            keeps its batch elsewhere), in the input's own dtype.
        axes: For each of ``inputs`` the batch axis in the model's own layout; None where each
            sample is one whole input tensor, so that runs hold a single sample.
        constants: Inputs fed as they are in every run.
        labels: The right answers, int64 or unicode (samples,), or None.
        samples: Number of samples.
        sha256: Hash over names, dtypes, shapes and bytes of all arrays, hex.
        source: Where it was read from, for messages and records.
        reading: What a sample is.
        fixed_batch: Rows that the model insists on in every run, None for any number.
        stream: Set where each sample is a whole sequence. All inputs but states then have their
            steps on the axis behind the samples, in feeds on axis 0, and constants of them, too.
        steps: Steps of a sequence; None where samples are single runs.
    """

    inputs: Mapping[str, NDArray[Any]]
    axes: Mapping[str, int | None]
    constants: Mapping[str, NDArray[Any]]
    labels: Labels | None
    samples: int
    sha256: str
    source: str
    reading: Reading
    fixed_batch: int | None = None
    stream: StateStream | None = None
    steps: int | None = None

    @property
    def stacked(self) -> bool:
        """True where each sample is a whole input tensor, so that samples can't share a run."""
        return any(axis is None for axis in self.axes.values())

    def batch(self, start: int, stop: int, pad_to: int | None = None) -> dict[str, NDArray[Any]]:
        """Feeds for samples ``start`` to ``stop - 1``, in the model's layout.

        Args:
            start: First sample.
            stop: One past the last sample.
            pad_to: Rows to fill up to by repeating the last sample; None for no padding.

        Returns:
            New or shared arrays by input name, constants included. They must not be written to.

        Raises:
            ConfigError: The range is empty or outside the workload, or holds several samples of a
                stacked workload.
        """
        if not 0 <= start < stop <= self.samples:
            raise ConfigError(
                f"samples {start}..{stop - 1} are not in the workload (it has {self.samples})"
            )
        if self.stacked and stop - start != 1:
            raise ConfigError(
                "each sample is a whole input tensor, so a run holds one; use batch 1"
            )
        # A plain slice is a view: no copy where nothing is padded or moved.
        rows: slice | NDArray[np.int64] = slice(start, stop)
        if pad_to is not None and pad_to > stop - start:
            rows = np.minimum(np.arange(start, start + pad_to), stop - 1)
        feeds = dict(self.constants)
        for name, values in self.inputs.items():
            axis = self.axes[name]
            if axis is None:
                feeds[name] = np.asarray(values[start], order="C")  # a scalar stays one
                continue
            part = values[rows] if axis == 0 else np.moveaxis(values[rows], 0, axis)
            feeds[name] = np.ascontiguousarray(part)
        return feeds

    def take(self, count: int) -> Workload:
        """The first ``count`` samples as a workload of their own (all of them if fewer).

        Raises:
            ConfigError: ``count`` is below 1.
        """
        if count < 1:
            raise ConfigError(f"a workload needs at least one sample, got {count}")
        if count >= self.samples:
            return self
        inputs = {name: values[:count] for name, values in self.inputs.items()}
        labels = None if self.labels is None else self.labels[:count]
        return replace(
            self,
            inputs=MappingProxyType(inputs),
            labels=labels,
            samples=count,
            sha256=digest(inputs, self.constants, labels, self.stream),
            source=f"{self.source} (first {count})",
        )

    def first_step(self) -> Workload:
        """Of sequences, what the first runs get, as samples of single runs; else itself.

        Its ``sha256`` stays that of the sequences.
        """
        if self.stream is None:
            return self
        fed = self.stream.inputs
        return replace(
            self,
            inputs=MappingProxyType(
                {name: a[:, 0] if name in fed else a for name, a in self.inputs.items()}
            ),
            axes=MappingProxyType(
                {
                    name: axis - 1 if axis is not None and name in fed else axis
                    for name, axis in self.axes.items()
                }
            ),
            constants=MappingProxyType(
                {name: a[0, ...] if name in fed else a for name, a in self.constants.items()}
            ),
            stream=None,
            steps=None,
        )


def digest(
    inputs: Mapping[str, NDArray[Any]],
    constants: Mapping[str, NDArray[Any]],
    labels: Labels | None,
    stream: StateStream | None = None,
) -> str:
    """sha256 over names, dtypes, shapes and bytes, independent of the order of the mappings.

    For sequences also over the pairs of their state.
    """
    sha = hashlib.sha256()
    for output, name in sorted(stream.state if stream is not None else ()):
        sha.update(f"state\0{output}\0{name}\0".encode())
    for role, arrays in (("input", inputs), ("constant", constants), ("labels", {"": labels})):
        for name, values in sorted(arrays.items()):
            if values is None:
                continue
            sha.update(f"{role}\0{name}\0{values.dtype}\0{values.shape}\0".encode())
            sha.update(_bytes(values))
    return sha.hexdigest()


def _bytes(values: NDArray[Any]) -> bytes | memoryview:
    if values.dtype.kind in "OUST":
        return "\0".join(map(str, values.ravel().tolist())).encode()
    flat = np.ascontiguousarray(values).reshape(-1)
    return flat.view(np.uint8).data if flat.size else b""
