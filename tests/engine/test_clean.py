"""Golden values of a chain: reproducible, in any memory; whether samples may be left out."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from onnxfi.engine import open_workload
from onnxfi.engine.cut import CleanValues, LateStart, PartChain, run_sizes
from onnxfi.engine.executable import Opening, open_executable, open_stored
from onnxfi.engine.runtime import RunFailedError, Watchdog
from onnxfi.engine.study import windows
from onnxfi.errors import GoldenError

ROOMY = 2**30


@pytest.fixture
def watchdog():
    made = Watchdog()
    yield made
    made.close()


@pytest.fixture
def late_of(watchdog):
    """A late start at all sites of a prepared."""

    def make(prepared, *, stored=True):
        context = prepared.context
        computed = tuple(site for site in context.sites if not site.kind.stored)
        mapped = tuple(site for site in context.sites if site.kind.stored)
        opening = Opening(computed=computed, mapped=mapped)
        opened = (open_stored if stored else open_executable)(context, opening, watchdog)
        return LateStart(context, opened, watchdog)

    return make


def _clean_of(late, prepared, limit=ROOMY):
    settings = replace(prepared.context.settings, memory_limit_bytes=limit)
    context = replace(prepared.context, settings=settings)
    return CleanValues(late.chain, context, late.graph.fed, late.loose, late.lifted, lambda: 0)


def _bits(values):
    return {name: (value.shape, value.dtype, value.tobytes()) for name, value in values.items()}


def _windows(prepared):
    profile = prepared.context.profile
    return windows(prepared.context.workload.samples, profile.batch_size, profile.fixed_batch)


def _counted(monkeypatch, change=None):
    """Positions and first rows of all runs; what a run gives may be changed."""
    real, ran = PartChain.prepared, []

    def prepared(self, position, lifted):
        run = real(self, position, lifted)

        def counting(feeds, hurried):
            found = run(feeds, hurried)
            ran.append((position, len(next(iter(feeds.values())))))
            return found if change is None else change(len(ran), feeds, dict(found))

        return counting

    monkeypatch.setattr(PartChain, "prepared", prepared)
    return ran


@pytest.mark.parametrize("limit", [0, 1, 20_000])
def test_values_made_again_are_the_same(prepared, late_of, monkeypatch, limit):
    late = late_of(prepared)
    roomy, tight = _clean_of(late, prepared), _clean_of(late, prepared, limit)
    cut = _windows(prepared)
    assert len(cut) == 3
    expected = [_bits(roomy.of(window, {})) for window in cut]
    ran = _counted(monkeypatch)
    for number in (0, 1, 2, 1, 0, 2, 2):
        assert _bits(tight.of(cut[number], {})) == expected[number]
        held = [_bits(values.values) for values in tight.windows]
        assert tight.nbytes <= limit or len(held) == 1
    made = len(ran)
    assert made > 0
    roomy.of(cut[1], {})
    assert len(ran) == made, "with room nothing is made twice"
    # The one asked for last is at hand, however little memory there is.
    tight.of(cut[2], {})
    assert len(ran) == made


def test_every_value_that_parts_read_or_return_is_there(prepared, late_of):
    late = late_of(prepared)
    values = _clean_of(late, prepared).of(_windows(prepared)[0], {})
    read = {name for part in late.chain.parts for name in part.reads}
    assert read | set(late.chain.outputs) <= set(values)
    workload = prepared.context.workload
    np.testing.assert_array_equal(values["image"], workload.batch(0, 4, 4)["image"])


def test_models_that_are_not_reproducible_are_refused(model_of, prepare, late_of):
    model = model_of("""
    <ir_version: 10, opset_import: ["" : 17]>
    g (float[batch, 3] x) => (float[batch, 3] y)
    <float[3] w = {1.0, 2.0, 3.0}>
    { r = RandomNormalLike(x)  s = Mul(r, w)  y = Add(s, x) }
    """)
    workload = open_workload(model, {"x": np.ones((4, 3), np.float32)})
    prepared = prepare(model, workload)
    late = late_of(prepared)
    with pytest.raises(GoldenError, match=r"'\w' differs between two .*\(0\.\.\d\); the model is"):
        late.clean.of(_windows(prepared)[0], {})


def test_one_value_that_changes_now_and_then_is_enough(prepared, late_of, monkeypatch):
    late = late_of(prepared)

    def change(number, _feeds, found):
        if number == 7:
            (name, *_) = found
            found[name] = found[name].copy()
            found[name].reshape(-1).view(np.uint32)[-1] ^= 1
        return found

    _counted(monkeypatch, change)
    with pytest.raises(GoldenError, match="not reproducible"):
        _clean_of(late, prepared).of(_windows(prepared)[0], {})


def test_a_golden_run_that_fails(prepared, late_of, monkeypatch):
    late = late_of(prepared)

    def refuse(*_, **__):
        raise RunFailedError("no memory left")

    monkeypatch.setattr(PartChain, "run", refuse)
    with pytest.raises(GoldenError, match=r"run fails on samples 0\.\.3 of .*: no memory left"):
        _clean_of(late, prepared).of(_windows(prepared)[0], {})


@pytest.fixture
def by_row(model_of, prepare):
    """Nothing but operators that look at each element alone."""
    model = model_of("""
    <ir_version: 10, opset_import: ["" : 17]>
    by_row (float[n, 4] x) => (float[n, 4] y)
    <float[4] w = {1.0, -2.0, 3.0, 4.0}>
    { a = Mul(x, w)  b = Relu(a)  c = Add(b, x)  y = Neg(c) }
    """)
    x = np.random.default_rng(1).normal(size=(9, 4)).astype(np.float32)
    workload = open_workload(model, {"x": x})
    return prepare(model, workload, optimization="disabled", batch_size=9)


TIME_FIRST = """
<ir_version: 10, opset_import: ["" : 17]>
time_first (float[n, 3, 4] x) => (float[n, 3, 4] y)
<int64[2] flat = {-1, 4}, int64[3] apart = {3, -1, 4}, float[4] w = {1.0, -2.0, 3.0, 4.0}>
{
  t = Transpose<perm = [1, 0, 2]>(x)
  f = Reshape(t, flat)
  m = Mul(f, w)
  r = Relu(m)
  g = Reshape(r, apart)
  y = Transpose<perm = [1, 0, 2]>(g)
}
"""


@pytest.fixture
def time_first(model_of, prepare):
    """Rows that follow each other step by step, not sample by sample."""
    model = model_of(TIME_FIRST)
    x = np.random.default_rng(1).normal(size=(9, 3, 4)).astype(np.float32)
    workload = open_workload(model, {"x": x})
    return prepare(model, workload, optimization="disabled", batch_size=4)


@pytest.mark.parametrize("stored", [True, False])
def test_rows_that_are_not_where_they_seem_to_be(time_first, late_of, stored):
    """Some part between the two orders can't be run for some rows."""
    late = late_of(time_first, stored=stored)
    assert late.graph.observation.separable
    window = _windows(time_first)[0]
    golden = late.clean.of(window, {})
    sizes = [
        run_sizes(late.chain, position, golden, late.loose, window.size)
        for position in range(len(late.chain.parts))
    ]
    assert () in sizes


@pytest.mark.parametrize("site", ["t", "f", "m", "r", "g", "y"])
def test_engines_agree_on_faults_in_every_sample_of_them(time_first, closing, scenario, site):
    faults = scenario((site, 5, 30), (site, 6, 29))
    bake, *others = (closing(time_first.engine(name)) for name in ("bake", "ports", "cut"))
    for other in others:
        for mine, theirs in zip(bake.results(faults), other.results(faults), strict=True):
            assert _bits(mine.golden) == _bits(theirs.golden)
            assert _bits(mine.faulty) == _bits(theirs.faulty)


@pytest.mark.parametrize("count", [1, 5])
def test_engines_agree_on_faults_in_some_samples_of_them(time_first, closing, scenario, count):
    """Faults of single samples, few and in most of the parts."""
    cut, ports = (closing(time_first.engine(name)) for name in ("cut", "ports"))
    sites = ("t", "f", "m", "r", "g", "y")[-count:]
    faults = scenario(*((site, 5, 30, sample) for site in sites for sample in (2, 8)))
    for mine, theirs in zip(cut.results(faults), ports.results(faults), strict=True):
        assert _bits(mine.golden) == _bits(theirs.golden)
        assert _bits(mine.faulty) == _bits(theirs.faulty)


def test_tensors_that_are_lifted_for_a_scenario_have_values_of_their_own(
    prepare, classifier, images, late_of, monkeypatch
):
    """Their sessions may round in another way; what they do not reach is shared."""
    prepared = prepare(classifier, images, batch_size=4)
    late = late_of(prepared, stored=False)
    window = _windows(prepared)[0]
    plain = late.clean.of(window, {})
    packed = {name: late.lifted.feeds[name] for name in late.graph.packed}
    assert packed
    reading = set(late.chain.reading(packed))
    made = {name for position in reading for name in late.chain.parts[position].makes}

    def change(_number, _feeds, found):
        return {name: np.nextafter(value, np.float32(9)) for name, value in found.items()}

    ran = _counted(monkeypatch, change)
    own = late.clean.of(window, packed)
    assert {position for position, _ in ran} >= reading
    assert made <= {name for name in own if own[name] is not plain[name]}
    assert all(own[name] is plain[name] for name in ("image", *late.chain.parts[0].makes))
    assert late.clean.of(window, packed) is own
    assert _bits(late.clean.of(window, {})) == _bits(plain)


def test_the_profile_has_the_first_say(by_row, late_of):
    """Rows that depend on each other are never left out, even if no golden run shows why."""
    context = by_row.context
    profile = replace(context.profile, rows_independent=False)
    late = late_of(replace(by_row, context=replace(context, profile=profile)))
    late.clean.of(_windows(by_row)[0], {})
    assert not late.chain.separable
