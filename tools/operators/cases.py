"""The operator cases that come with onnx: one-operator models with inputs and expected outputs."""

from __future__ import annotations

import logging
import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import onnxruntime
from onnx import ModelProto, TensorProto, numpy_helper

_SILENT = 4


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Case:
    """One case.

    Attributes:
        name: Its name.
        model: The model.
        inputs: Arrays by input name; lists of arrays for sequences.
        expected: What the outputs should be, in order.
        rtol: Relative tolerance for them.
        atol: Absolute tolerance.
    """

    name: str
    model: ModelProto
    inputs: dict[str, Any]
    expected: Sequence[Any]
    rtol: float
    atol: float

    @property
    def plain(self) -> bool:
        """Whether all inputs and outputs are tensors, and there are inputs."""
        values = (*self.inputs.values(), *self.expected)
        return bool(self.inputs) and all(isinstance(value, np.ndarray) for value in values)


def collect() -> list[Case]:
    """All cases of the installed onnx, by name."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # some of them divide by zero on purpose
        logging.disable(logging.WARNING)
        try:
            from onnx.backend.test.case.node import collect_testcases

            found = collect_testcases(None)
        finally:
            logging.disable(logging.NOTSET)
    return [_case(each) for each in sorted(found, key=lambda each: str(each.name))]


def loads(case: Case) -> bool:
    """Whether onnxruntime takes the model as it is."""
    options = onnxruntime.SessionOptions()
    options.log_severity_level = _SILENT
    try:
        onnxruntime.InferenceSession(
            case.model.SerializeToString(), options, providers=["CPUExecutionProvider"]
        )
    except Exception:  # its exceptions have no common base of their own
        return False
    return True


def _case(found: Any) -> Case:
    (inputs, outputs), *_ = found.data_sets
    names = [value.name for value in found.model.graph.input]
    return Case(
        name=found.name,
        model=found.model,
        inputs={name: _value(value) for name, value in zip(names, inputs, strict=False)},
        expected=[_value(value) for value in outputs],
        rtol=found.rtol,
        atol=found.atol,
    )


def _value(value: Any) -> Any:
    """An array for what is meant as a tensor, a list for what is meant as a sequence."""
    if isinstance(value, TensorProto):
        return numpy_helper.to_array(value)
    if isinstance(value, list):
        return [_value(each) for each in value]
    return value if value is None else np.asarray(value)
