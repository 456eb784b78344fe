"""Sequences against numpy: state fed back step by step, faults in every step and in single ones."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from onnxfi.bits import from_words, to_words
from onnxfi.engine import (
    EngineContext,
    EngineSettings,
    Scenarios,
    choose_engine,
    golden_run,
    open_engine,
    open_workload,
    profile,
)
from onnxfi.errors import ConfigError, GoldenError
from onnxfi.faults import FaultGroup, Scenario, enumerate_sites, find_site
from onnxfi.graph import Model
from onnxfi.outcome import choose_criterion
from onnxfi.workload import Workload, stream_of

# Only operators whose every bit numpy repeats.
LEAKY = """
<ir_version: 10, opset_import: ["" : 17]>
leaky (float[batch, 3] x, float[batch, 3] h) => (float[batch, 3] y, float[batch, 3] hn)
<float[3] decay = {0.5, 0.25, 0.75}>
{
  scaled = Mul(h, decay)
  hn = Add(scaled, x)
  y = Neg(hn)
}
"""
SAMPLES, STEPS = 5, 4
COMPUTED = ("x", "h", "scaled", "hn", "y")
DECAY = np.array([0.5, 0.25, 0.75], np.float32)


@pytest.fixture(scope="module")
def leaky(model_of: Callable[[str], Model]) -> Model:
    return model_of(LEAKY)


@pytest.fixture(scope="module")
def context(leaky: Model, sequences: Workload) -> EngineContext:
    return _context(leaky, sequences, batch_size=2)


@pytest.fixture(scope="module")
def sequences(leaky: Model) -> Workload:
    return _read(leaky, _arrays())


def _arrays(**more: Any) -> dict[str, Any]:
    rng = np.random.default_rng(1)
    x = rng.normal(size=(SAMPLES, STEPS, 3)).astype(np.float32)
    return {"x": x, "h": rng.normal(size=(SAMPLES, 3)).astype(np.float32), **more}


def _read(model: Model, arrays: Any, *pairs: str) -> Workload:
    stream = stream_of(pairs or ("hn=h",), model.inputs, model.outputs)
    return open_workload(model, arrays, stream=stream)


def _context(model: Model, workload: Workload, **settings: Any) -> EngineContext:
    asked = EngineSettings(stream=workload.stream, **settings)
    found = profile(model, workload, asked)
    assert workload.stream is not None
    states = workload.stream.state_outputs
    table = enumerate_sites(
        model.index, model.inputs, model.outputs, found.layouts, found.left_out, ("h",)
    )
    golden = golden_run(model, workload, found, asked)
    return EngineContext(
        model=model,
        workload=workload,
        profile=found,
        settings=asked,
        sites=table.sites,
        criterion=choose_criterion(golden.outputs[0], found.outputs, states=states),
    )


def _group(site: str, *flips: tuple[int, int]) -> FaultGroup:
    return FaultGroup(
        site=site,
        index=np.array([index for index, _ in flips], np.int64),
        and_mask=np.full(len(flips), 2**64 - 1, np.uint64),
        xor_mask=np.array([1 << bit for _, bit in flips], np.uint64),
    )


def _expected(workload: Workload, scenario: Scenario, context: EngineContext) -> dict[str, Any]:
    """The whole workload by numpy, with the faults that are there in each step."""
    sites = {site.name: site for site in context.sites}

    def faulted(name: str, values: Any, step: int) -> Any:
        flat = values.reshape(-1, 3).copy()
        for group in scenario.groups:
            site = find_site(group.site, sites)
            assert site is not None
            if site.tensor == name and site.step in (None, step):
                words = to_words(flat.reshape(-1), site.element).reshape(flat.shape)
                for index, mask in zip(group.index, group.xor_mask, strict=True):
                    words[:, index] ^= np.uint32(mask)
                flat = from_words(words.reshape(-1), site.element, flat.shape)
        return flat.reshape(values.shape)

    state, answers = workload.inputs["h"], []
    for step in range(STEPS):
        state, x = faulted("h", state, step), faulted("x", workload.inputs["x"][:, step], step)
        scaled = faulted("scaled", state * faulted("decay", DECAY, step), step)
        state = faulted("hn", scaled + x, step)
        answers.append(faulted("y", -state, step))
    return {"y": np.stack(answers), "hn": state}


FLIPS = st.dictionaries(
    st.one_of(
        st.sampled_from(COMPUTED),
        st.builds(lambda name, at: f"{name}@{at}", st.sampled_from(COMPUTED), st.integers(0, 3)),
    ),
    st.lists(
        st.tuples(st.integers(0, 2), st.sampled_from((0, 22, 25, 31))), min_size=1, max_size=2
    ),
    min_size=1,
    max_size=3,
)


def test_the_profile_tells_steps_from_samples(leaky: Model, sequences: Workload) -> None:
    found = profile(leaky, sequences, EngineSettings(stream=sequences.stream))
    assert found.rows_independent
    assert found.batch_size == SAMPLES
    assert (found.outputs["y"].shape, found.outputs["y"].batch_axis) == ((STEPS, 1, 3), 1)
    assert (found.outputs["hn"].shape, found.outputs["hn"].batch_axis) == ((1, 3), 0)
    assert all(found.layouts[name].shape == (1, 3) for name in COMPUTED)
    assert {layout.steps for layout in found.layouts.values()} == {STEPS}


def test_state_inputs_are_sites_of_their_kind(leaky: Model, sequences: Workload) -> None:
    kinds = {site.name: site.kind.value for site in _context(leaky, sequences).sites}
    assert kinds["h"] == "state"
    assert kinds["x"] == "input"
    assert kinds["hn"] == "activation"


@given(flips=FLIPS, weight=st.booleans())
def test_ports_equal_numpy(context: EngineContext, flips: Any, weight: bool) -> None:
    groups = [_group(name, *places) for name, places in flips.items()]
    if weight:
        groups.append(_group("decay", (1, 23)))
    _check("ports", context, Scenario(number=0, groups=tuple(groups)))


@pytest.mark.parametrize(
    ("engine", "site"), [("bake", "decay"), ("lift", "decay"), ("bake", "h"), ("bake", "scaled")]
)
def test_the_other_engines_equal_numpy(context: EngineContext, engine: str, site: str) -> None:
    _check(engine, context, Scenario(number=0, groups=(_group(site, (0, 22), (2, 31)),)))


def _check(engine: str, context: EngineContext, scenario: Scenario) -> None:
    sites = {site.name: site for site in context.sites}
    touched = tuple(filter(None, (find_site(group.site, sites) for group in scenario.groups)))
    opened = open_engine(engine, replace(context, sites=touched))
    try:
        expected = _expected(context.workload, scenario, context)
        for result in opened.results(scenario):
            rows = slice(result.window.start, result.window.stop)
            assert result.faulty is not None
            np.testing.assert_array_equal(result.faulty["y"], expected["y"][:, rows])
            np.testing.assert_array_equal(result.faulty["hn"], expected["hn"][rows])
    finally:
        opened.close()


def test_a_fault_that_only_the_state_keeps_is_not_masked(context: EngineContext) -> None:
    """A flip that no answer sees, but what comes next would."""
    sites = {site.name: site for site in context.sites}
    last = find_site(f"hn@{STEPS - 1}", sites)
    assert last is not None
    engine = open_engine("ports", replace(context, sites=(last,)))
    counts = engine.run(Scenario(number=0, groups=(_group(last.name, (0, 0)),))).counts
    engine.close()
    assert counts.masked == 0


def test_a_state_without_a_batch_axis_takes_one_sequence_a_run(
    model_of: Callable[[str], Model],
) -> None:
    model = model_of(LEAKY.replace("batch, 3] h", "1, 3] h").replace("batch, 3] hn", "1, 3] hn"))
    arrays = _arrays()
    del arrays["h"]
    workload = _read(model, arrays)
    found = profile(model, workload, EngineSettings(stream=workload.stream))
    assert found.batch_size == 1
    golden = golden_run(model, workload, found, EngineSettings(stream=workload.stream))
    assert golden.samples("y").shape == (SAMPLES, STEPS, 3)


def test_engines_that_can_not(leaky: Model, context: EngineContext) -> None:
    with pytest.raises(ConfigError, match=r"cut can't run sequences"):
        open_engine("cut", context)
    at = find_site("scaled@1", {site.name: site for site in context.sites})
    assert at is not None
    traits = Scenarios(single_site=True, sequences=True)
    assert choose_engine("auto", leaky, 20, [at], traits).name == "ports"
    with pytest.raises(ConfigError, match=r"one step of a sequence only"):
        choose_engine("bake", leaky, 20, [at], traits)


def test_a_fault_free_run_that_fails_is_told(model_of: Callable[[str], Model]) -> None:
    """The state outgrows its input in the second step."""
    model = model_of(
        """
        <ir_version: 10, opset_import: ["" : 17]>
        grows (float[batch, 3] x, float[batch, n] h) => (float[batch, 3] y, float[batch, m] hn)
        {
          hn = Concat<axis = 1>(h, h)
          y = Add(x, h)
        }
        """
    )
    with pytest.raises(GoldenError, match="fails"):
        _read(model, _arrays())


GROWS = """
<ir_version: 10, opset_import: ["" : 17]>
cache (float[batch, 3] x, float[batch, n, 3] past) => (float[batch, 3] y, float[batch, m, 3] next)
<int64[1] one = {1}>
{
  piece = Unsqueeze(x, one)
  next = Concat<axis = 1>(past, piece)
  doubled = Mul(next, two)
  y = ReduceSum<keepdims = 0>(doubled, one)
}
"""


def test_a_state_that_grows_leaves_computed_values_out(model_of: Callable[[str], Model]) -> None:
    text = GROWS.replace("<int64[1] one = {1}>", "<int64[1] one = {1}, float two = {2.0}>")
    model = model_of(text)
    arrays = {"x": _arrays()["x"], "past": np.zeros((SAMPLES, 0, 3), np.float32)}
    workload = _read(model, arrays, "next=past")
    settings = EngineSettings(stream=workload.stream)
    found = profile(model, workload, settings)
    assert found.batch_size == SAMPLES
    assert set(found.layouts) == {"x"}
    assert "from step to step" in found.left_out["doubled"]
    golden = golden_run(model, workload, found, settings)
    np.testing.assert_allclose(
        golden.samples("y"), 2 * np.cumsum(arrays["x"], axis=1), rtol=1e-5, atol=1e-6
    )
    assert golden.outputs[0]["next"].shape == (SAMPLES, STEPS, 3)


BRANCHES = """
<ir_version: 10, opset_import: ["" : 17]>
branches (float[batch, 3] x, float[batch, 3] h, bool go) => (float[batch, 3] y, float[batch, 3] hn)
<float[3] decay = {0.5, 0.25, 0.75}>
{
  hn = If<then_branch = then () => (float[batch, 3] sum) {
    scaled = Mul(h, decay)
    sum = Add(scaled, x)
  }, else_branch = else () => (float[batch, 3] same) {
    same = Identity(x)
  }>(go)
  y = Neg(hn)
}
"""


@pytest.mark.parametrize("at", ["", "@2"])
def test_values_in_a_body_have_steps_of_the_sequence(
    model_of: Callable[[str], Model], context: EngineContext, at: str
) -> None:
    """The same faults in the same network with and without control flow."""
    model = model_of(BRANCHES)
    branched = _context(model, _read(model, {**_arrays(), "go": np.array(True)}), batch_size=2)
    inner = next(site for site in branched.sites if site.name.endswith("/scaled"))
    whole = {site.name: site for site in (*branched.sites, *context.sites)}
    flat, inside = find_site(f"scaled{at}", whole), find_site(f"{inner.name}{at}", whole)
    assert flat is not None
    assert inside is not None
    engines = [
        open_engine("ports", replace(each, sites=(site,)))
        for each, site in ((context, flat), (branched, inside))
    ]
    places = (0, 22), (2, 31)
    outputs = [
        [result.faulty for result in engine.results(_one(site.name, *places))]
        for engine, site in zip(engines, (flat, inside), strict=True)
    ]
    for engine in engines:
        engine.close()
    for mine, theirs in zip(*outputs, strict=True):
        assert mine is not None
        assert theirs is not None
        np.testing.assert_array_equal(mine["y"], theirs["y"])
        np.testing.assert_array_equal(mine["hn"], theirs["hn"])


def _one(site: str, *places: tuple[int, int]) -> Scenario:
    return Scenario(number=0, groups=(_group(site, *places),))
