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


def seen(model, run, sizes, trips):
    """Iteration and array each time, by name; room for as many elements as asked for."""
    tapped, taps = tap(model, sizes, sizes)
    feeds = {"x": X, "z": Z, "n": np.array([trips])}
    outputs = run(tapped, feeds)
    values = dict(zip([spec.name for spec in tapped.outputs], outputs, strict=True))
    found = {}
    for name, size in sizes.items():
        records = list(recorded(values[taps[name].record]))
        data = values[taps[name].data].reshape(len(records), taps[name].elements)
        assert taps[name].elements == size
        found[name] = [
            (entry[0], row[: int(np.prod(entry[1]))].reshape(entry[1]))
            for entry, row in zip(records, data, strict=True)
            if entry is not None
        ]
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
    sizes = dict.fromkeys(names, 2) | {names[1]: 1, names[3]: 3}  # one more than there are
    found = seen(model, run, sizes, trips)
    for name in names:
        assert [step for step, _ in found[name]] == [step for step, _ in expected[name]], name
        for (_, mine), (_, theirs) in zip(found[name], expected[name], strict=True):
            assert mine.dtype == theirs.dtype
            np.testing.assert_array_equal(mine, theirs)


def test_outputs_stay_and_data_is_optional(model, run):
    tapped, taps = tap(model, ["outer/body/h"])
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
    tapped, taps = tap(model, names)
    for taken in (True, False):
        found = run(tapped, {"c": np.array(taken), "x": X}, [taps[name].record for name in names])
        entries = [list(recorded(each)) for each in found]
        assert entries == [[(0, (2,)) if each else None] for each in (taken, not taken)]


def test_only_as_many_elements_as_asked_for(model, run):
    (only,) = seen(model, run, {"scan/body/s2": 2}, 1).values()
    tapped, taps = tap(model, ["scan/body/s2"], {"scan/body/s2": 1})
    feeds = {"x": X, "z": Z, "n": np.array([1])}
    (first,) = run(tapped, feeds, [taps["scan/body/s2"].data])
    np.testing.assert_array_equal(first, [values[0] for _, values in only])


def test_many_dimensions(parse, run):
    shape = ", ".join(["1"] * 14)
    text = f"""high (bool c, float[{shape}] x) => (float[{shape}] y) {{ [which] y = If (c) <
        then_branch = t () => (float[{shape}] o) {{ o = Neg (x) }},
        else_branch = e () => (float[{shape}] r) {{ r = Abs (x) }}> }}"""
    model = load(parse(text))
    tapped, taps = tap(model, ["which/then_branch/o"])
    feeds = {"c": np.array(True), "x": np.ones((1,) * 14, np.float32)}
    (record,) = run(tapped, feeds, [taps["which/then_branch/o"].record])
    assert list(recorded(record)) == [(0, (1,) * 12 + (-1, -1))]
