"""What the profile tells about values in control-flow bodies, and why about some it can't."""

from __future__ import annotations

import importlib.metadata
from pathlib import Path

import numpy as np
import pytest

from onnxfi.engine import EngineSettings, Session, open_workload, profile
from onnxfi.faults import SampleLayout, enumerate_sites
from onnxfi.graph import load
from onnxfi.inject import can_open, disarmed_feeds, instrument
from onnxfi.workload import sample_choice

HEADER = '<ir_version: 10, opset_import: ["" : 17]>\n'
LOOP = "(int64 i, bool c, float[P, Q] h) => (bool c2, float[R, S] h2)"


def look(model, *axes, **arrays):
    """Layouts and reasons of what lies in bodies."""
    workload = open_workload(model, arrays, choice=sample_choice(axes))
    found = profile(model, workload, EngineSettings())
    inside = {name for name in (*found.layouts, *found.left_out) if model.index.home(name).scope}
    layouts = {name: layout for name, layout in found.layouts.items() if name in inside}
    return layouts, {name: why for name, why in found.left_out.items() if name in inside}


def numbers(*shape):
    return np.random.default_rng(2).normal(size=shape).astype(np.float32)


def test_the_batch_axis_lies_where_rows_are_replaced(model_of):
    """Turned values, flattened ones, and one that holds nothing of a sample."""
    layouts, left = look(
        model_of(
            HEADER
            + """m (float[N, 2, 3] x) => (float[N, 2, 3] y)
            <int64 n = {2}, bool go = {1}, int64[1] flat = {-1}, float one = {1}> {
              [loop] y = Loop (n, go, x) <body = b (int64 i, bool c, float[P, 2, 3] h)
                  => (bool c2, float[Q, 2, 3] h2) {
                c2 = Identity (c)
                turned = Transpose <perm = [1, 0, 2]> (h)
                rows = Reshape (turned, flat)
                number = Cast <to = 1> (i)
                more = Add (number, one)
                h2 = Mul (h, more)
                unread = Add (rows, rows)
              }>
            }"""
        ),
        x=numbers(5, 2, 3),
    )
    assert layouts["loop/body/h"] == SampleLayout(shape=(1, 2, 3), batch_axis=0, steps=2)
    assert layouts["loop/body/turned"] == SampleLayout(shape=(2, 1, 3), batch_axis=1, steps=2)
    # Rows of two samples follow each other step by step: the steps become an axis.
    assert left["loop/body/rows"] == "one sample's elements can't be told from another's"
    assert layouts["loop/body/more"] == SampleLayout(shape=(), batch_axis=None, steps=2)


def test_shapes_that_differ(model_of):
    grown = model_of(
        HEADER
        + f"""m (float[N, 2] x) => (float[N, K] y) <int64 n = {{3}}, bool go = {{1}}> {{
          [loop] y = Loop (n, go, x) <body = b {LOOP} {{
            c2 = Identity (c)
            steady = Neg (x)
            h2 = Concat <axis = 1> (h, steady)
          }}>
        }}"""
    )
    layouts, left = look(grown, x=numbers(4, 2))
    assert layouts["loop/body/steady"].steps == 3
    assert (
        left["loop/body/h"]
        == left["loop/body/h2"]
        == ("its shape differs from one iteration to another")
    )


def test_a_shape_that_depends_on_the_data(model_of):
    picked = model_of(
        HEADER
        + """m (float[N, 4] x) => (float[M] y) <bool yes = {1}, float zero = {0}> {
          p = Greater (x, zero)
          [which] y = If (yes) <
            then_branch = t () => (float[K] o) { some = Compress (x, q)
                                                 q = Reshape (p, flat)
                                                 o = Neg (some) },
            else_branch = e () => (float[L] r) { r = Reshape (x, flat) }>
          flat = Constant <value = int64[1] {-1}> ()
        }"""
    )
    _, left = look(picked, "x=0", x=numbers(9, 4))
    assert left["which/then_branch/o"] == "its shape depends on the data"


SCAN = """m (float[N, 4, 3, 2] x) => (float[2] s, float[T, N, 3, 2] y)
  <float[2] start = {0, 0}, float zero = {0}> {
    [scan] s, y = Scan <num_scan_inputs = 1, scan_input_axes = [1],
        body = b (float[2] a, float[K, 3, 2] now) => (float[2] b2, float[K, 3, 2] out) {
      b2 = Identity (a)
      total = ReduceSum <keepdims = 0> (now)
      up = Greater (total, zero)
      [which] out = If (up) <
        then_branch = t () => (float[L, 3, 2] o) { o = Neg (now) },
        else_branch = e () => (float[L, 3, 2] r) { q = Relu (now)
                                                  r = Neg (q) }>
    }> (start, x)
  }"""


def test_values_of_a_scan_that_are_only_there_at_times(model_of):
    model = model_of(HEADER + SCAN)
    signs = np.array([1, -1, 1, -1], np.float32)[None, :, None, None]
    layouts, left = look(model, x=np.ones((2, 4, 3, 2), np.float32) * signs)
    assert layouts["scan/body/which/then_branch/o"].steps == 3
    assert layouts["scan/body/which/else_branch/q"].steps == 4
    assert not left


def test_branches_in_a_scan_that_are_always_or_never_taken(model_of):
    layouts, left = look(model_of(HEADER + SCAN), x=np.ones((2, 4, 3, 2), np.float32))
    assert layouts["scan/body/which/then_branch/o"].steps == 4
    assert left["scan/body/which/else_branch/r"].startswith("it was computed for no profiled")


def test_a_loop_in_a_scan(model_of):
    """As often in each iteration, or not."""
    text = """m (float[N, 3, 2] x, int64[3] trips) => (float[2] s, float[T, N, 2] y)
      <float[2] start = {0, 0}, bool go = {1}, int64[0] none = {}> {
        [scan] s, y = Scan <num_scan_inputs = 2, scan_input_axes = [1, 0],
            body = b (float[2] a, float[K, 2] now, int64 n)
                => (float[2] b2, float[K, 2] out) {
          b2 = Identity (a)
          [loop] out = Loop (n, go, now) <body = l (int64 i, bool c, float[P, 2] h)
              => (bool c2, float[P, 2] h2) { c2 = Identity (c)
                                             h2 = Neg (h) }>
        }> (start, x, trips)
      }"""
    model = model_of(HEADER + text)
    x = numbers(2, 3, 2)
    same, left = look(model, x=x, trips=np.full((2, 3), 2))
    assert same["scan/body/loop/body/h2"].steps == 2
    assert "scan/body/loop/body/h2" not in left
    others, left = look(model, x=x, trips=np.tile([1, 3, 2], (2, 1)))
    assert (
        left["scan/body/loop/body/h"]
        == left["scan/body/loop/body/h2"]
        == ("its loop, in a Scan, does not run equally often in each iteration of that")
    )
    assert others["scan/body/now"].steps == 3


def test_long_loops_take_no_more_than_their_values(model_of):
    """All iterations are handed out once, not copied from one to the next."""
    long = model_of(
        HEADER
        + """m (float[N, 64] x) => (float[N, 64] y) <int64 n = {1000}, bool go = {1}> {
          [loop] y = Loop (n, go, x) <body = b (int64 i, bool c, float[P, 64] h)
              => (bool c2, float[P, 64] h2) { c2 = Identity (c)
                                              h2 = Tanh (h) }>
        }"""
    )
    layouts, _ = look(long, x=numbers(4, 64))
    assert layouts["loop/body/h2"] == SampleLayout(shape=(1, 64), batch_axis=0, steps=1000)


def test_what_would_be_too_large(model_of, bounds):
    bounds(iterations_bytes=3 * 4 * 4 * 5 - 1)
    model = model_of(
        HEADER
        + """m (float[N, 4] x) => (float[N, 4] y) <int64 n = {5}, bool go = {1}> {
          [loop] y = Loop (n, go, x) <body = b (int64 i, bool c, float[P, 4] h)
              => (bool c2, float[P, 4] h2) { c2 = Identity (c)
                                             h2 = Tanh (h) }>
        }"""
    )
    layouts, left = look(model, x=numbers(6, 4))
    assert "loop/body/c2" in layouts
    assert left["loop/body/h2"].startswith("too large to be looked at")


def test_old_scans(model_of):
    text = """<ir_version: 3, opset_import: ["" : 8]>
    m (float[1, 2] s, float[1, 3, 2] x) => (float[1, 2] last, float[1, 3, 2] y) {
      [scan] last, y = Scan <num_scan_inputs = 1, body = b (float[2] a, float[2] now)
          => (float[2] b2, float[2] out) { b2 = Add (a, now)
                                           out = Neg (b2) }> ("", s, x)
    }"""
    model = model_of(text)
    _, left = look(model, s=np.zeros((2, 1, 2), np.float32), x=numbers(2, 1, 3, 2))
    assert left["scan/body/out"] == "its Scan is of opset 8, which has batches of its own"


SILERO = [
    "silero_vad.onnx",
    "silero_vad_16k_op15.onnx",
    "silero_vad_half.onnx",
    "silero_vad_op18_ifless.onnx",
]


@pytest.mark.parametrize("name", SILERO)
def test_disarmed_ports_in_nested_branches_change_nothing(name):
    try:
        files = importlib.metadata.files("silero-vad") or []
    except importlib.metadata.PackageNotFoundError:
        pytest.skip("package silero-vad is not installed")
    model = load(next(Path(str(each.locate())) for each in files if each.name == name))
    known = {
        "input": numbers(3, 1, 512) * np.float32(0.1),
        "sr": np.full(3, 16_000),
        "state": numbers(3, 2, 1, 128),
    }
    arrays = {spec.name: known[spec.name] for spec in model.inputs}
    workload = open_workload(model, arrays)
    settings = EngineSettings(optimization="disabled")
    found = profile(model, workload, settings)
    table = enumerate_sites(model.index, model.inputs, model.outputs, found.layouts, found.left_out)
    inside = [site for site in table.sites if site.body]
    assert inside
    assert all(can_open(site) is None for site in inside)
    reasons = {left.reason for left in table.left_out if left.name in found.left_out}
    assert reasons <= {
        "its branch was not taken by any profiled sample",
        "computed from stored tensors and shapes only, never from a sample",
        "not read by any operator",
    }
    opened = instrument(model, inside)
    feeds = workload.batch(0, 1)
    plain = Session(model, settings).run(feeds)
    ports = Session(opened.model, settings).run({**feeds, **disarmed_feeds(opened, {})})
    for output, expected in plain.items():
        np.testing.assert_array_equal(ports[output].view(np.uint32), expected.view(np.uint32))
