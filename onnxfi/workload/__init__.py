"""Workloads: the inputs and labels that every scenario is run over, and what a sample is."""

from onnxfi.workload._axes import BatchAxes, batch_axes, fixed_batch
from onnxfi.workload._read import Source, read_workload
from onnxfi.workload._workload import Workload

__all__ = ["BatchAxes", "Source", "Workload", "batch_axes", "fixed_batch", "read_workload"]
