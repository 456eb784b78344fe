"""The deployed graph: the model's own bits, stored names where they hold, all engines on it."""

from __future__ import annotations

import functools
import subprocess
import sys
from dataclasses import replace

import numpy as np
import pytest
from onnx import numpy_helper, parser

from onnxfi.bits import ElementType
from onnxfi.engine import (
    EngineContext,
    EngineSettings,
    Session,
    check_replay,
    deployed,
    examine_engine,
    golden_run,
    open_engine,
    open_workload,
    profile,
)
from onnxfi.engine.executable import carries, map_weights, optimized, unsaturated
from onnxfi.errors import ConfigError
from onnxfi.faults import BitFlip, FaultSpace, enumerate_sites
from onnxfi.graph import expose, fingerprint, initializer_words, load, replace_initializers
from onnxfi.outcome import choose_criterion
from onnxfi.sampling import SampledScenarios, UniformSampler

ZOO = (
    "lenet5_mnist_fp16",
    "lenet5_mnist_fp32",
    "lenet5_mnist_int8_dynamic",
    "lenet5_mnist_int8_qdq",
    "lenet5_mnist_int8_qoperator",
    "resnet8_fashion_fp16",
    "resnet8_fashion_fp32",
    "resnet8_fashion_int8_dynamic",
    "resnet8_fashion_int8_qdq",
    "resnet8_fashion_int8_qoperator",
    "snn_snntorch_mnist",
    "snn_spikingjelly_mnist",
)
_KINDS = ("lenet5_mnist_int8_qdq", "lenet5_mnist_int8_dynamic", "lenet5_mnist_fp32")
_MARKS = dict.fromkeys(("snn_snntorch_mnist", "snn_spikingjelly_mnist"), pytest.mark.heavy)
_MARKS |= dict.fromkeys(_KINDS, pytest.mark.cpu)
_MARKED = [pytest.param(name, marks=_MARKS.get(name, ())) for name in ZOO]
SETTINGS = EngineSettings(graph="deployed")
PLAIN = EngineSettings()


@pytest.fixture(scope="session")
def case_of(models):
    """A zoo model, its deployed graph, and a few samples."""

    @functools.cache
    def make(name: str, samples: int = 24):
        model = load(models / f"{name}.onnx")
        data = "fashion" if "fashion" in name else "mnist"
        workload = open_workload(model, models / f"{data}_test1000.npz").take(samples)
        return model, deployed(model, SETTINGS), workload

    return make


@pytest.fixture(scope="session")
def context_of(case_of):
    """A context on a deployed graph with all sites of some kinds."""

    @functools.cache
    def make(name: str, *kinds: str) -> EngineContext:
        _, graph, workload = case_of(name)
        found = profile(graph, workload, SETTINGS)
        table = enumerate_sites(graph.index, graph.inputs, graph.outputs, found.layouts)
        golden = golden_run(graph, workload, found, SETTINGS)
        return EngineContext(
            model=graph,
            workload=workload,
            profile=found,
            settings=SETTINGS,
            sites=tuple(site for site in table.sites if site.kind.value in kinds),
            criterion=choose_criterion(golden.outputs[0], found.outputs, labels=workload.labels),
        )

    return make


def _parsed(text, **initializers):
    proto = parser.parse_model(text)
    for name, values in initializers.items():
        proto.graph.initializer.append(numpy_helper.from_array(values, name))
    return load(proto)


def _names(model):
    made = {value for node in model.index.nodes for value in node.outputs if value}
    return made | set(model.index.initializers)


@pytest.mark.parametrize("level", ["all", "extended", "basic", "disabled"])
@pytest.mark.parametrize("name", ZOO)
def test_golden_is_that_of_the_plain_session(case_of, name, level):
    model, _, workload = case_of(name)
    plain = replace(PLAIN, optimization=level)
    settings = replace(SETTINGS, optimization=level)
    graph = deployed(model, settings)
    found = profile(graph, workload, settings, [])
    check_replay(model, graph, workload, found, settings)
    ours = golden_run(model, workload, found, plain)
    assert golden_run(graph, workload, found, settings).sha256 == ours.sha256
    assert graph.sha256 == model.sha256


@pytest.mark.cpu
@pytest.mark.parametrize("name", ZOO)
def test_tensors_that_correspond_have_stored_names(case_of, name):
    """How many further forms there are depends on the CPU's layouts; that each is one, does not."""
    model, graph, _ = case_of(name)
    for other in _names(graph) - _names(model):
        base, mark, number = other.rpartition("~")
        assert mark, other
        assert number.isdigit()
        assert base in _names(model) & _names(graph)
    types = [(graph.index.element_of(v), graph.index.shape_of(v)) for v in _names(graph)]
    assert all(element is not None and shape is not None for element, shape in types)


@pytest.mark.cpu
@pytest.mark.parametrize("name", ZOO)
def test_a_value_is_what_it_is_named_for(case_of, name):
    """A name is no guess: the deployed value holds the numbers of the stored one.

    With weights that can't saturate, where kernels of all CPUs give the same numbers.
    """
    model, graph, workload = case_of(name)
    twin, graph = unsaturated(model, graph, PLAIN)
    both = [
        value
        for node in graph.index.nodes
        for value in node.outputs
        if value.split("~")[0] in _names(model) - set(model.index.initializers)
    ]
    stored = [value.split("~")[0] for value in both]
    feeds = workload.batch(0, 1 if "dynamic" in name else 4)
    before = Session(expose(twin, stored), replace(PLAIN, optimization="disabled")).run(feeds)
    after = Session(expose(graph, both), SETTINGS).run(feeds)
    assert both
    for mine, theirs in zip(both, stored, strict=True):
        if before[theirs].dtype != np.bool_ and np.ptp(before[theirs].astype(np.float64)) > 0:
            assert carries(after[mine], before[theirs], blocked=True), mine


@pytest.mark.cpu
@pytest.mark.parametrize(
    "name", ["lenet5_mnist_fp32", "resnet8_fashion_fp32", "snn_snntorch_mnist"]
)
def test_filters_are_the_stored_ones_in_another_order(case_of, name):
    model, graph, _ = case_of(name)
    filters = [
        entry.name
        for entry in model.index.initializers.values()
        if len(entry.shape) == 4 and entry.element is ElementType.FLOAT
    ]
    assert filters
    for weight in filters:
        before, after = initializer_words(model, weight), initializer_words(graph, weight)
        rest = np.sort(after)[: after.size - before.size]
        assert not rest.any()
        np.testing.assert_array_equal(np.sort(before), np.sort(np.sort(after)[rest.size :]))


_FINGERPRINTS = """
import sys
from onnxfi.engine import EngineSettings, deployed
from onnxfi.graph import expose, fingerprint, load
for path in sys.argv[1:]:
    print(fingerprint(deployed(load(path), EngineSettings())))
"""


@pytest.mark.cpu
def test_the_graph_is_the_same_in_every_process(case_of, models):
    """onnxruntime's own names and order are not: it counts in the order of hash tables."""
    names = ("lenet5_mnist_fp16", "snn_snntorch_mnist", "resnet8_fashion_int8_qdq")
    paths = [str(models / f"{name}.onnx") for name in names]
    here = [fingerprint(case_of(name)[1]) for name in names]
    for _ in range(2):
        command = [sys.executable, "-c", _FINGERPRINTS, *paths]
        there = subprocess.run(command, capture_output=True, text=True, check=True).stdout.split()
        assert there == here


@pytest.mark.parametrize("name", _MARKED)
def test_engines_agree_on_activations_bit_for_bit(context_of, closing, name):
    context = context_of(name, "activation", "input")
    _compare(context, closing, ("bake", "ports", "cut"), exact=True)


@pytest.mark.parametrize("name", _MARKED)
def test_engines_agree_on_weights(context_of, closing, name):
    """Lifted to an input, a matrix is not packed: last bits of products move, decisions don't."""
    context = context_of(name, "weight", "bias")
    _compare(context, closing, ("bake", "ports", "lift", "cut"), exact=False)


def _compare(context, closing, engines, *, exact):
    space = FaultSpace(context.sites, [BitFlip()])
    drawn = SampledScenarios(space, UniformSampler(n=6, seed=5))
    scenarios = [drawn.scenario(number) for number in range(len(drawn))]
    counts = {}
    for name in engines:
        assert examine_engine(name, context) is None
        engine = closing(open_engine(name, context))
        found = [engine.run(scenario).counts for scenario in scenarios]
        counts[name] = found if exact else [(c.critical, c.due) for c in found]
    first = counts[engines[0]]
    assert all(found == first for found in counts.values())


def test_lift_works_on_the_deployed_graph_itself(context_of):
    context = context_of("resnet8_fashion_fp32", "weight")
    graph = optimized(context.model, SETTINGS)
    assert graph is context.model
    images = map_weights(graph, graph, context.sites, SETTINGS).images
    assert [len(each) for each in images.values()] == [1] * len(context.sites)
    assert all(image.initializer == name for name, (image,) in images.items())


@pytest.mark.cpu
def test_padding_is_part_of_a_blocked_tensor(context_of):
    """Six channels lie in a block of eight or sixteen: a fault may hit what no channel uses."""
    sites = {site.name: site for site in context_of("lenet5_mnist_fp32", "weight").sites}
    shape = sites["conv1.weight"].layout.shape
    assert shape[1:] == (1, 5, 5)
    assert shape[0] in (8, 16)


NORMALIZED = """
<ir_version: 10, opset_import: ["" : 17]>
normalized (float[batch, 3, 8, 8] image) => (float[batch, 16, 8, 8] out)
{
  c = Conv<pads = [1, 1, 1, 1]>(image, w, b)
  n = BatchNormalization(c, scale, shift, mean, var)
  out = Relu(n)
}
"""


@pytest.mark.cpu
def test_what_another_tensor_was_folded_into_has_a_name_of_its_own():
    rng = np.random.default_rng(2)
    vectors = {
        name: rng.uniform(0.5, 1.5, 16).astype(np.float32)
        for name in ("b", "scale", "shift", "mean", "var")
    }
    weight = rng.normal(size=(16, 3, 3, 3)).astype(np.float32)
    graph = deployed(_parsed(NORMALIZED, w=weight, **vectors), SETTINGS)
    names = set(graph.index.initializers)
    assert "w~folded" in names
    assert not {"w", "b", "scale", "shift", "mean", "var"} & names


COPIES = """
<ir_version: 10, opset_import: ["" : 17]>
copies (float[batch, 2, 6, 6] image) => (float[batch, 4, 6, 6] out)
{
  a = Conv<pads = [1, 1, 1, 1]>(image, w)
  r = Relu(a)
  s = Slice(r, start, stop, axis)
  c = Conv<pads = [1, 1, 1, 1]>(s, w)
  t = Tanh(c)
  out = Add(r, t)
}
"""


@pytest.mark.cpu
def test_values_that_nothing_proves_keep_the_runtimes_names_without_counters():
    """Inputs of several open dimensions can't be drawn, so structure alone must do."""
    text = COPIES.replace("float[batch, 2, 6, 6] image", "float[batch, 2, height, width] image")
    text = text.replace("float[batch, 4, 6, 6] out", "float[batch, 4, height, width] out")
    weight = np.random.default_rng(1).normal(size=(4, 2, 3, 3)).astype(np.float32)
    indices = {
        "start": np.array([0], np.int64),
        "stop": np.array([2], np.int64),
        "axis": np.array([1], np.int64),
    }
    model = _parsed(text, w=weight, **indices)
    graph = deployed(model, SETTINGS)
    assert not [name for name in _names(graph) if "_token_" in name]
    assert len(_names(graph)) == sum(len(node.outputs) for node in graph.index.nodes) + len(
        graph.index.initializers
    )
    again = deployed(model, SETTINGS)
    assert fingerprint(again) == fingerprint(graph)


TWO_NAMES = """
<ir_version: 10, opset_import: ["" : 17]>
twice (float[batch, 4] x) => (float[batch, 4] y)
{
  a = Abs(x)
  b = Relu(a)
  c = MatMul(b, w)
  y = Relu(c)
}
"""


def test_all_computed_values_of_a_plain_graph_stay():
    weight = np.random.default_rng(1).normal(size=(4, 4)).astype(np.float32)
    graph = deployed(_parsed(TWO_NAMES, w=weight), SETTINGS)
    assert {"a", "b", "c", "y", "w"} >= _names(graph) - set()


def test_only_the_cpu_provider_has_a_deployed_graph(case_of):
    model, _, _ = case_of("lenet5_mnist_fp32")
    with pytest.raises(ConfigError, match=r"CPU provider only, not for cuda.*--graph stored"):
        deployed(model, replace(SETTINGS, provider="cuda"))


def test_a_graph_that_gives_other_bits_is_refused(case_of):
    model, graph, workload = case_of("lenet5_mnist_fp32")
    words = initializer_words(graph, "fc3.bias") ^ np.uint32(1 << 20)
    other = replace_initializers(graph, {"fc3.bias": words})
    found = profile(graph, workload, SETTINGS, [])
    with pytest.raises(ConfigError, match=r"gives other bits in output 'logits'.*--graph stored"):
        check_replay(model, other, workload, found, SETTINGS)


NESTED = """
<ir_version: 10, opset_import: ["" : 17]>
nested (float[batch, 3, 8, 8] x, bool flag) => (float[batch, 16, 8, 8] y)
{
  a = Conv<pads = [1, 1, 1, 1]>(x, w)
  c = If(flag) <
    then_branch = yes () => (float[batch, 16, 8, 8] r) {
      p = Conv<pads = [1, 1, 1, 1]>(a, v)
      q = Relu(p)
      m = MaxPool<kernel_shape = [3, 3], pads = [1, 1, 1, 1]>(q)
      u = Conv<pads = [1, 1, 1, 1]>(a, v)
      r = Add(m, u)
    },
    else_branch = no () => (float[batch, 16, 8, 8] s) { s = Neg(a) }
  >
  y = Relu(c)
}
"""


@pytest.fixture(scope="module")
def nested():
    """Convolutions outside of and inside a control-flow body."""
    rng = np.random.default_rng(0)
    shapes = {"w": (16, 3, 3, 3), "v": (16, 16, 3, 3)}
    return _parsed(
        NESTED, **{name: rng.normal(size=s).astype(np.float32) for name, s in shapes.items()}
    )


def test_a_graph_that_the_runtime_itself_refuses_is_refused(nested):
    """onnxruntime gives one name to two values, outside and inside a body, and can't load that."""
    with pytest.raises(ConfigError, match=r"can't load the graph that it has made.*--graph stored"):
        deployed(nested, SETTINGS)


def test_control_flow_bodies_keep_their_names(nested):
    graph = deployed(nested, replace(SETTINGS, optimization="extended"))
    inside = {value for node in graph.index.nodes if node.scope for value in node.outputs}
    known = {value for node in nested.index.nodes if node.scope for value in node.outputs}
    assert inside <= known
    assert {use.node.scope != "" for use in graph.index.consumers("a")} == {True}


def test_an_unknown_graph_is_refused():
    with pytest.raises(ConfigError, match=r"graph 'optimised' is unknown; choose from stored"):
        EngineSettings(graph="optimised")


UNTYPED = """
<ir_version: 10, opset_import: ["" : 17, "com.microsoft" : 1]>
untyped (float[1, rows, columns] cost) => (float[two, path] out)
{
  steps = com.microsoft.DynamicTimeWarping(cost)
  out = Cast<to = 1>(steps)
}
"""


def test_types_that_onnx_does_not_know_are_learnt():
    graph = deployed(_parsed(UNTYPED), SETTINGS)
    assert graph.index.element_of("steps") is ElementType.INT32
