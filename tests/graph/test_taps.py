"""Taps: every time that a value in a body was computed, seen from the top level."""

import numpy as np
import pytest

from onnxfi.graph import load, recorded, tap

TEXT = """taps (float[2] x, int64[1] n, float[3,2] z) => (float[2] y, float[2] last)
<bool go = {1}, int64[0] none = {}, int64 one = {1}, int64 two = {2}>
{
    times = Reshape (n, none)
    [outer] y = Loop (times, go, x) <body = b1 (int64 i, bool c, float[2] h)
        => (bool c2, float[2] h2)
        { c2 = Identity (c)
          late = Greater (i, one)
          [which] h2 = If (late) <
            then_branch = t () => (float[2] o) {
              [inner] o = Loop (two, c, h) <body = b2 (int64 j, bool d, float[2] g)
                => (bool d2, float[2] g2) { d2 = Identity (d)
                                            g2 = Add (g, x) }> },
            else_branch = e () => (float[2] p) { r = Relu (h)
                                                 p = Sub (r, x) }> } >
    [scan] last = Scan <num_scan_inputs = 1, body = b3 (float[2] s, float[2] now) => (float[2] s2)
        { s2 = Add (s, now) } > (x, z)
}"""
X = np.array([1.0, -2.0], np.float32)
Z = np.arange(6, dtype=np.float32).reshape(3, 2)


@pytest.fixture(scope="module")
def model(parse):
    return load(parse(TEXT))


def seen(model, run, names, trips):
    tapped, taps = tap(model, names, data=True)
    feeds = {"x": X, "z": Z, "n": np.array([trips])}
    outputs = run(tapped, feeds)
    values = dict(zip([spec.name for spec in tapped.outputs], outputs, strict=True))
    found = {}
    for name in names:
        start, found[name] = 0, []
        for iteration, shape in recorded(values[taps[name].record]):
            stop = start + int(np.prod(shape))
            found[name].append((iteration, values[taps[name].data][start:stop].reshape(shape)))
            start = stop
        assert start == len(values[taps[name].data])
    return found


@pytest.mark.parametrize("trips", [0, 1, 4])
def test_every_time_is_seen(trips, model, run):
    names = [
        "outer/body/h",
        "outer/body/late",
        "outer/body/h2",
        "outer/body/which/else_branch/r",
        "outer/body/which/then_branch/inner/body/g2",
        "scan/body/s2",
        "scan/body/now",
    ]
    expected = {name: [] for name in names}
    h = X
    for i in range(trips):
        expected[names[0]].append((i, h))
        expected[names[1]].append((i, np.array(i > 1)))
        if i > 1:
            for j in range(2):
                h = h + X
                expected[names[4]].append((j, h))
        else:
            expected[names[3]].append((i, np.maximum(h, 0)))
            h = np.maximum(h, 0) - X
        expected[names[2]].append((i, h))
    s = X
    for i in range(3):
        s = s + Z[i]
        expected[names[5]].append((i, s))
        expected[names[6]].append((i, Z[i]))
    found = seen(model, run, names, trips)
    for name in names:
        assert [step for step, _ in found[name]] == [step for step, _ in expected[name]], name
        for (_, mine), (_, theirs) in zip(found[name], expected[name], strict=True):
            assert mine.dtype == theirs.dtype
            np.testing.assert_array_equal(mine, theirs)


def test_outputs_stay_and_data_is_optional(model, run):
    tapped, taps = tap(model, ["outer/body/h"], data=False)
    assert taps["outer/body/h"].data is None
    feeds = {"x": X, "z": Z, "n": np.array([3])}
    for mine, theirs in zip(run(tapped, feeds, ["y", "last"]), run(model, feeds), strict=True):
        np.testing.assert_array_equal(mine, theirs)


def test_branches_that_are_alike(parse, run):
    text = """alike (bool c, float[2] x) => (float[2] y) { [which] y = If (c) <
        then_branch = t () => (float[2] o) { o = Neg (x) },
        else_branch = e () => (float[2] o) { o = Neg (x) }> }"""
    model = load(parse(text))
    names = ["which/then_branch/o", "which/else_branch/o"]
    tapped, taps = tap(model, names, data=False)
    for taken in (True, False):
        found = run(tapped, {"c": np.array(taken), "x": X}, [taps[name].record for name in names])
        assert [len(list(recorded(each))) for each in found] == [int(taken), int(not taken)]
