"""Shift ports: disarmed they change no bit, armed they add what they say to what they say."""

from __future__ import annotations

import numpy as np
import pytest
from onnx import TensorProto, helper

from onnxfi.bits import ElementType, format_of
from onnxfi.engine import EngineSettings, Session, open_workload, profile
from onnxfi.faults import SampleLayout
from onnxfi.graph import Model, element_to_onnx, insert, load, raise_opset
from onnxfi.sensitivity.probes import ShiftedRows, ShiftPort, opset_needed, shift_groups, shift_port
from onnxfi.sensitivity.rules import Target, ValueChannels

SETTINGS = EngineSettings(optimization="disabled")
ELEMENTS = [
    ElementType.FLOAT, ElementType.DOUBLE, ElementType.FLOAT16, ElementType.BFLOAT16,
    ElementType.INT8, ElementType.UINT8, ElementType.INT16, ElementType.UINT16,
    ElementType.INT32, ElementType.UINT32, ElementType.INT64, ElementType.BOOL,
]  # fmt: skip


def identity(element: ElementType, rank: int, opset: int = 13) -> Model:
    shape = ["batch", *[f"d{k}" for k in range(rank - 1)]]
    made = [
        helper.make_tensor_value_info(name, element_to_onnx(element), shape) for name in ("x", "z")
    ]
    nodes = [helper.make_node("Identity", [a], [b], name=b) for a, b in ("xy", "yz")]
    graph = helper.make_graph(nodes, "g", made[:1], made[1:])
    imports = [helper.make_opsetid("", opset)]
    return load(helper.make_model(graph, opset_imports=imports, ir_version=8))


def ported(model: Model, layout: SampleLayout, axis: int, *, whole: bool) -> ShiftPort:
    """A port on value y, whose layout is given."""
    values = np.zeros(layout.run_shape(2), format_of(model.inputs[0].element).value)
    known = profile(model, open_workload(model, {"x": values}), SETTINGS, ["y"])
    object.__setattr__(known, "layouts", {"y": layout})
    channels = layout.shape[axis]
    target = Target(values=(ValueChannels(value="y", axis=axis),), channels=channels, spread=1.0,
                    whole=whole)  # fmt: skip
    port = shift_port(model, target, known, seed=3)
    assert port is not None
    return port


def run(model: Model, port: ShiftPort, values, rows: ShiftedRows | None, size: int):
    model = raise_opset(model, opset_needed([port]))
    session = Session(insert(model, shift_groups(model, port)), SETTINGS)
    feeds = port.disarmed() if rows is None else port.armed(rows, size)
    return session.run({"x": values, **feeds})["z"]


def shifted(row, channel, amount, sample=None) -> ShiftedRows:
    rows = np.array(row)
    return ShiftedRows(
        row=rows,
        sample=rows if sample is None else np.array(sample),
        channel=np.array(channel),
        amount=np.array(amount, np.float64),
    )


def extremes(element: ElementType):
    """Rows (8, 2) with zeros of both signs, the ends of the range, and random numbers."""
    dtype = format_of(element).value
    rng = np.random.default_rng(0)
    if element is ElementType.BOOL:
        return rng.random((8, 2)) < 0.5
    if dtype.kind in "iu":
        ends = np.iinfo(dtype)
        values = rng.integers(ends.min, ends.max, (8, 2), dtype, endpoint=True)
        values[0] = ends.min, ends.max
        return values
    values = rng.normal(size=(8, 2)).astype(dtype)
    values[0] = np.array([-0.0, 0.0], dtype)
    values[1] = np.array([np.inf, -np.inf], dtype)
    words = values.view(format_of(element).word)
    words[2] = 1, 3  # the least numbers there are
    return values


@pytest.mark.parametrize("whole", [True, False])
@pytest.mark.parametrize("element", ELEMENTS)
def test_disarmed_no_bit_changes(element, whole):
    model = identity(element, 2)
    port = ported(model, SampleLayout(shape=(1, 2), batch_axis=0), 1, whole=whole)
    values = extremes(element)
    found = run(model, port, values, None, len(values))
    assert found.dtype == values.dtype
    assert found.tobytes() == values.tobytes()


@pytest.mark.parametrize("whole", [True, False])
@pytest.mark.parametrize("element", ELEMENTS)
def test_armed_the_sum_stays_in_range(element, whole):
    model = identity(element, 2)
    port = ported(model, SampleLayout(shape=(1, 2), batch_axis=0), 1, whole=whole)
    values = extremes(element)[3:7]
    rows = shifted([0, 1, 3], [0, 1, 1], [3.0, -3.0, 1e3])
    found = run(model, port, values, rows, len(values))
    wide = values.astype(np.longdouble)
    wide[[0, 1, 3], [0, 1, 1]] += [3, -3, 1000]
    dtype = format_of(element).value
    if element is ElementType.BOOL:
        expected = wide > 0
    elif dtype.kind in "iu":
        ends = np.iinfo(dtype)
        expected = np.clip(wide, ends.min, ends.max).astype(dtype)
    else:
        expected = wide.astype(np.float64).astype(dtype)
    np.testing.assert_array_equal(found, expected)


@pytest.mark.parametrize(
    ("layout", "axis"),
    [
        (SampleLayout(shape=(1, 3, 4, 5), batch_axis=0), 1),
        (SampleLayout(shape=(1, 4, 3), batch_axis=0), -1),
        (SampleLayout(shape=(4, 1, 3), batch_axis=1), 2),
        (SampleLayout(shape=(2, 3, 2), batch_axis=0), 1),  # two rows a sample
        (SampleLayout(shape=(3, 2), batch_axis=0), 0),  # its rows are the channels
    ],
)
@pytest.mark.parametrize("whole", [True, False])
def test_channels_of_rows_wherever_they_lie(layout, axis, whole):
    model = identity(ElementType.FLOAT, len(layout.shape))
    port = ported(model, layout, axis, whole=whole)
    size = 4
    clean = np.random.default_rng(1).normal(size=layout.run_shape(size)).astype(np.float32)
    rows = shifted([0, 2, 3], [2, 0, 1], [10.0, 20.0, 30.0], sample=[5, 6, 7])
    added = run(model, port, clean, rows, size) - clean
    batch, own = layout.batch_axis, layout.rows
    by_sample = np.stack(np.split(added, size, axis=batch))  # (samples, *layout.shape)
    assert by_sample.shape[1:] == layout.shape
    assert own == by_sample.shape[1 + batch]
    by_channel = np.moveaxis(by_sample, 1 + axis % len(layout.shape), 1).reshape(size, 3, -1)
    for row in range(size):
        for channel in range(3):
            wanted = {(0, 2): 10.0, (2, 0): 20.0, (3, 1): 30.0}.get((row, channel), 0.0)
            part = by_channel[row, channel]
            if whole or not wanted:
                np.testing.assert_allclose(part, wanted, rtol=1e-5)
            else:
                assert np.count_nonzero(part) == 1
                np.testing.assert_allclose(part.max(), wanted, rtol=1e-5)


def test_elements_differ_by_sample_and_cover_the_channel():
    layout = SampleLayout(shape=(1, 2, 4, 4), batch_axis=0)
    model = identity(ElementType.FLOAT, 4)
    port = ported(model, layout, 1, whole=False)
    rows = shifted(np.arange(32), np.ones(32, int), np.ones(32))
    index = port.armed(rows, 32)[port.index_input] - 32 * np.arange(32)
    assert index.min() >= 16
    assert index.max() < 32
    assert len(np.unique(index)) == 16


def test_not_a_number_for_floats():
    model = identity(ElementType.FLOAT16, 2)
    port = ported(model, SampleLayout(shape=(1, 2), batch_axis=0), 1, whole=True)
    found = run(model, port, np.ones((2, 2), np.float16), shifted([1], [0], [np.nan]), 2)
    np.testing.assert_array_equal(np.isnan(found), [[False, False], [True, False]])


def test_no_port_where_there_is_no_way_in():
    model = identity(ElementType.FLOAT, 2)
    workload = open_workload(model, {"x": np.zeros((2, 3), np.float32)})
    known = profile(model, workload, SETTINGS, ["y"])

    def target(value: str, channels: int, axis: int = 1) -> Target:
        values = (ValueChannels(value=value, axis=axis),)
        return Target(values=values, channels=channels, spread=1.0, whole=True)

    assert shift_port(model, target("y", 3), known, seed=0) is not None
    assert shift_port(model, target("x", 3), known, seed=0) is not None
    assert shift_port(model, target("y", 2), known, seed=0) is None
    assert shift_port(model, target("y", 3, axis=4), known, seed=0) is None
    assert shift_port(model, target("nothing", 3), known, seed=0) is None


def test_texts_have_no_arithmetic():
    made = [helper.make_tensor_value_info(n, TensorProto.STRING, ["batch", 2]) for n in ("x", "y")]
    graph = helper.make_graph([helper.make_node("Identity", ["x"], ["y"])], "g", made[:1], made[1:])
    imports = [helper.make_opsetid("", 17)]
    model = load(helper.make_model(graph, opset_imports=imports, ir_version=8))
    workload = open_workload(model, {"x": np.array([["a", "b"], ["c", "d"]])})
    known = profile(model, workload, SETTINGS, ["y"])
    target = Target(values=(ValueChannels(value="y", axis=1),), channels=2, spread=1.0, whole=True)
    assert shift_port(model, target, known, seed=0) is None
