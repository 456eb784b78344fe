"""Injection: scenarios written into graphs, as an instrumented model or as a faulty file."""

from onnxfi.inject._able import can_bake, can_lift, can_open, can_start, only_baked
from onnxfi.inject._arm import (
    Feed,
    arm,
    armed_feeds,
    disarmed_feeds,
    faulty_elements,
    faulty_words,
    port_feeds,
    stored_array,
    words_in,
)
from onnxfi.inject._bake import bake, opset_for, without_effect
from onnxfi.inject._columns import (
    BatchWindow,
    RunColumns,
    faulted,
    layout_of,
    whole_columns,
    window_columns,
)
from onnxfi.inject._gate import by_tensor
from onnxfi.inject._host import faulty_array
from onnxfi.inject._instrument import Instrumented, Lift, instrument
from onnxfi.inject._port import Port, Scatter
from onnxfi.inject._primitive import opset_needed

__all__ = [
    "BatchWindow",
    "Feed",
    "Instrumented",
    "Lift",
    "Port",
    "RunColumns",
    "Scatter",
    "arm",
    "armed_feeds",
    "bake",
    "by_tensor",
    "can_bake",
    "can_lift",
    "can_open",
    "can_start",
    "disarmed_feeds",
    "faulted",
    "faulty_array",
    "faulty_elements",
    "faulty_words",
    "instrument",
    "layout_of",
    "only_baked",
    "opset_for",
    "opset_needed",
    "port_feeds",
    "stored_array",
    "whole_columns",
    "window_columns",
    "without_effect",
    "words_in",
]
