"""TODO: what this package is for, what comes in, what goes out."""

from onnxfi.faults.steps._flow import COMPARISONS, reach
from onnxfi.faults.steps._labels import labelled
from onnxfi.faults.steps._steptext import parse_steps, steps_text

__all__ = [
    "COMPARISONS",
    "labelled",
    "parse_steps",
    "reach",
    "steps_text",
]
