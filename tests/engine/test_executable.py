"""The executable graph: it replays bit for bit, and stored tensors are found in it."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from onnx import numpy_helper, parser

from onnxfi.bits import ElementType
from onnxfi.engine import EngineSettings, open_workload, profile
from onnxfi.engine.engines import LiftEngine
from onnxfi.engine.executable import map_weights, optimized, replay_differs
from onnxfi.errors import BackendError, ConfigError
from onnxfi.faults import enumerate_sites
from onnxfi.graph import Form, initializer_words, load, operators

#: Stored sites, and how many of them have a map at the default level. What has none: scales that
#: decide whether onnxruntime fuses to integer kernels at all (QDQ), constants folded into others.
MAPPED = {
    "lenet5_mnist_fp16": (10, 10),
    "lenet5_mnist_fp32": (10, 10),
    "lenet5_mnist_bf16": (10, 10),
    "lenet5_mnist_int4": (15, 15),
    "lenet5_mnist_int8_dynamic": (20, 20),
    "lenet5_mnist_int8_qdq": (42, 28),
    "lenet5_mnist_int8_qoperator": (32, 32),
    "resnet8_fashion_fp16": (20, 20),
    "resnet8_fashion_fp32": (20, 20),
    "resnet8_fashion_bf16": (20, 20),
    "resnet8_fashion_int4": (30, 30),
    "resnet8_fashion_int8_dynamic": (40, 40),
    "resnet8_fashion_int8_qdq": (90, 54),
    "resnet8_fashion_int8_qoperator": (70, 70),
    "snn_snntorch_mnist": (57, 49),
    "snn_spikingjelly_mnist": (107, 104),
}

#: Each takes ten times as long as a LeNet-5 of its kind.
_LARGE = ("resnet8_fashion_int8_qdq", "snn_snntorch_mnist", "snn_spikingjelly_mnist")
_MARKED = [pytest.param(n, marks=pytest.mark.heavy if n in _LARGE else ()) for n in MAPPED]


def _stored(model):
    """Its stored tensors; what attributes hold is no part of the graph."""
    table = enumerate_sites(model.index, model.inputs, model.outputs, None)
    tensors = [site for site in table.sites if site.form is Form.TENSOR]
    return [site for site in tensors if site.kind.stored]


@pytest.mark.parametrize("level", ["all", "extended", "basic", "disabled"])
@pytest.mark.parametrize("name", MAPPED)
def test_the_optimised_graph_replays_bit_for_bit(models, name, level):
    model = load(models / f"{name}.onnx")
    data = "fashion" if "fashion" in name else "mnist"
    workload = open_workload(model, models / f"{data}_test1000.npz").take(16)
    settings = EngineSettings(optimization=level)
    found = profile(model, workload, settings, [])
    assert replay_differs(model, optimized(model, settings), workload, found, settings) is None


@pytest.mark.parametrize("level", ["all", "disabled"])
@pytest.mark.parametrize("name", _MARKED)
def test_maps_carry_the_real_values(models, name, level):
    model = load(models / f"{name}.onnx")
    settings = EngineSettings(optimization=level)
    executable = optimized(model, settings)
    sites = _stored(model)
    found = map_weights(model, executable, sites, settings)
    stored, mapped = MAPPED[name]
    assert len(sites) == stored
    assert len(found.images) == (mapped if level == "all" else stored)
    assert found.images.keys() | found.unmapped.keys() == {site.name for site in sites}
    for site in sites:
        seen = set()
        for image in found.images.get(site.name, ()):
            words = initializer_words(model, site.name)[image.source]
            expected = image.arriving(words, site.element, slice(None))
            arrived = initializer_words(executable, image.initializer)
            np.testing.assert_array_equal(arrived[image.position], expected)
            seen.update(image.source.tolist())
        if site.name in found.images:
            assert seen == set(range(site.layout.elements))


def test_weights_and_biases_of_quantized_models_all_have_maps(models):
    model = load(models / "resnet8_fashion_int8_qdq.onnx")
    settings = EngineSettings()
    sites = [site for site in _stored(model) if site.kind.value in ("weight", "bias")]
    assert not map_weights(model, optimized(model, settings), sites, settings).unmapped


def test_blocked_filters_are_permuted_and_padded(models):
    model = load(models / "lenet5_mnist_fp32.onnx")
    settings = EngineSettings()
    executable = optimized(model, settings)
    if not any("nchwc" in operator for operator in operators(executable)):
        pytest.skip("this machine has no blocked convolutions")
    sites = [site for site in _stored(model) if site.name == "conv1.weight"]
    (image,) = map_weights(model, executable, sites, settings).images["conv1.weight"]
    arrived = initializer_words(executable, image.initializer)
    assert arrived.size > sites[0].layout.elements  # six channels, padded to a block
    padding = np.setdiff1d(np.arange(arrived.size), image.position)
    assert not arrived[padding].any()
    assert (np.diff(image.position) != 1).any()


FOLDED = """
<ir_version: 10, opset_import: ["" : 17]>
g (float[batch, 3] x) => (float[batch, 3] y)
<float[3] a = {2.0, 3.0, 4.0}, float[3] b = {5.0, 6.0, 7.5}, float[3] c = {1.5, 2.5, 3.5}>
{ s = Add(a, b)  t = Mul(x, s)  u = Mul(t, c)  v = Add(u, a)  y = Relu(v) }
"""


NORMED = """
<ir_version: 10, opset_import: ["" : 17]>
g (float[batch, 3, 8, 8] x) => (float[batch, 16, 6, 6] y)
{ c = Conv(x, w)  n = BatchNormalization(c, scale, shift, mean, var)  y = Relu(n) }
"""


def test_filters_with_a_batchnorm_folded_in_are_recomputed(prepare, scenario, closing):
    rng = np.random.default_rng(8)
    proto = parser.parse_model(NORMED)
    for name, shape in {
        "w": (16, 3, 3, 3),
        **dict.fromkeys(("scale", "shift", "mean", "var"), (16,)),
    }.items():
        values = rng.uniform(0.3, 2, shape).astype(np.float32)
        proto.graph.initializer.append(numpy_helper.from_array(values, name))
    model = load(proto)
    workload = open_workload(model, {"x": rng.normal(size=(6, 3, 8, 8)).astype(np.float32)})
    prepared = prepare(model, workload, output="y")
    found = map_weights(model, optimized(model, EngineSettings()), _stored(model), EngineSettings())
    assert set(found.images) == {"w"}
    assert all(image.factor is not None for image in found.images["w"])
    lift, bake = (closing(prepared.engine(name, "w")) for name in ("lift", "bake"))
    for bit in (3, 22, 30, 31):
        faults = scenario(("w", 5, bit), ("w", 431, bit))
        for mine, theirs in zip(lift.results(faults), bake.results(faults), strict=True):
            np.testing.assert_allclose(mine.faulty["y"], theirs.faulty["y"], rtol=1e-5, atol=1e-5)
            assert not np.array_equal(mine.faulty["y"], mine.golden["y"])


def test_what_is_folded_has_no_map(model_of, prepare):
    model = model_of(FOLDED)
    settings = EngineSettings()
    found = map_weights(model, optimized(model, settings), _stored(model), settings)
    assert set(found.images) == {"c"}
    assert "folded" in found.unmapped["b"]
    # It is still read by a node of its own, but also hides in the folded sum.
    assert "computes other constants" in found.unmapped["a"]
    workload = open_workload(model, {"x": np.ones((4, 3), np.float32)})
    prepared = prepare(model, workload)
    assert LiftEngine.examine(replace(prepared.context, sites=(prepared.sites["c"],))) is None
    reason = LiftEngine.examine(
        replace(prepared.context, sites=(prepared.sites["c"], prepared.sites["a"]))
    )
    assert reason is not None
    assert "site 'a' can't be lifted" in reason


def test_without_optimisation_nothing_is_folded(model_of):
    model = model_of(FOLDED)
    settings = EngineSettings(optimization="disabled")
    found = map_weights(model, optimized(model, settings), _stored(model), settings)
    assert set(found.images) == {"a", "b", "c"}


def test_types_that_cannot_be_traced(model_of, prepared):
    model, settings = prepared.context.model, prepared.context.settings
    truth = replace(prepared.sites["w1"], element=ElementType.BOOL)
    found = map_weights(model, optimized(model, settings), [truth], settings)
    assert found.unmapped == {"w1": "BOOL elements can't be traced"}


def test_a_graph_that_replays_otherwise_is_refused(prepared, monkeypatch):

    monkeypatch.setattr("onnxfi.engine.engines._lift.replay_differs", lambda *_: "other bits")
    with pytest.raises(ConfigError, match="can't be replayed: other bits"):
        LiftEngine(replace(prepared.context, sites=(prepared.sites["w1"],)))
    assert LiftEngine.examine(replace(prepared.context, sites=(prepared.sites["w1"],))) is not None


def test_another_graph_is_seen_to_differ(prepared, model_of, classifier):
    from onnxfi.graph import replace_initializers

    context = prepared.context
    words = initializer_words(classifier, "b2")
    words[0] ^= 1 << 20
    other = replace_initializers(classifier, {"b2": words})
    arguments = (context.workload, context.profile, context.settings)
    assert replay_differs(classifier, classifier, *arguments) is None
    reason = replay_differs(classifier, other, *arguments)
    assert reason is not None
    assert "other bits in output 'scores'" in reason


def test_only_on_the_cpu(prepared, monkeypatch):

    class Other:
        on_cpu = False

    monkeypatch.setattr("onnxfi.engine.executable._optimize.find_provider", lambda _: Other())
    with pytest.raises(BackendError, match="only graphs optimised for the CPU"):
        optimized(prepared.context.model, prepared.context.settings)
    assert LiftEngine.examine(prepared.context) is not None
