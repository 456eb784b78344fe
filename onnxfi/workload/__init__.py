"""Workloads: the inputs and labels that every scenario is run over, and what a sample is."""

from onnxfi.workload._axes import BatchAxes, batch_axes, fixed_batch
from onnxfi.workload._labels import Labels
from onnxfi.workload._read import Source, read_workload
from onnxfi.workload._stream import Stream, parse_state, stream_of
from onnxfi.workload._workload import Workload

__all__ = [
    "BatchAxes",
    "Labels",
    "Source",
    "Stream",
    "Workload",
    "batch_axes",
    "fixed_batch",
    "parse_state",
    "read_workload",
    "stream_of",
]
