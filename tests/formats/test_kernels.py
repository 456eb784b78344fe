"""Integer kernels: what faults leave of them, in the graph that onnxruntime saves.

With uint8 activations (on x86 signed ones lose most integer kernels without any fault).
"""

from __future__ import annotations

from collections import Counter
from contextlib import closing
from dataclasses import replace

import numpy as np
import pytest

from onnxfi.bits import from_words, in_bytes
from onnxfi.engine import EngineSettings, Session, Watchdog, open_engine, open_workload, profile
from onnxfi.engine.cut import Routes
from onnxfi.engine.executable import optimized
from onnxfi.faults import FaultGroup, Scenario, enumerate_sites
from onnxfi.graph import initializer_words, lift_initializers, load
from onnxfi.inject import bake, instrument

pytestmark = pytest.mark.cpu

KEPT = {
    "activation uint8",
    "weight int8",
    "bias int32",
    "zero_point int8",
    "zero_point uint8",
    "input float32",
}
RESNET = "models/resnet8_fashion_int8_qdq.onnx"


def _kernels(model):
    """Integer operators of a saved graph, by name and number."""
    names = ("QLinear", "QGemm", "ConvInteger", "MatMulInteger", "DynamicQuantizeMatMul")
    return Counter(node.op_type for node in model.index.nodes if node.op_type.startswith(names))


def _what(site):
    return f"{site.kind} {site.element.value}"


@pytest.fixture(scope="module")
def resnet():
    model = load(RESNET)
    found = profile(model, open_workload(model, "random:2:1"), EngineSettings())
    return model, enumerate_sites(model.index, model.inputs, model.outputs, found.layouts).sites


def test_ports_and_inputs_on_integers_keep_every_integer_kernel(resnet):
    model, sites = resnet
    settings = EngineSettings()
    deployed = _kernels(optimized(model, settings))
    assert deployed == {
        "QLinearConv": 9,
        "QLinearAdd": 3,
        "QLinearGlobalAveragePool": 1,
        "QGemm": 1,
    }
    seen = set()
    for site in sites:
        if _what(site) in KEPT:
            assert _kernels(optimized(instrument(model, [site]).model, settings)) == deployed, site
            seen.add(_what(site))
    assert seen == KEPT
    every = [site for site in sites if _what(site) in KEPT]
    assert _kernels(optimized(instrument(model, every).model, settings)) == deployed


def test_what_costs_integer_kernels_is_known(resnet):
    """A scale that is an input, and a float that exists: the convolution beside it is a float's."""
    model, sites = resnet
    settings = EngineSettings()
    deployed = _kernels(optimized(model, settings))
    by_name = {site.name: site for site in sites}
    for name, lost in {
        "stem.weight_scale": {"QLinearConv": 1},
        "image_scale": {"QLinearConv": 1},
        "stem.bias_quantized_zero_point": {"QLinearConv": 1},
        "/stage1/conv2/Conv_output_0": {"QLinearConv": 1},
        "/stage1/relu1/Relu_output_0_DequantizeLinear_Output": {"QLinearConv": 1},
        "/stage1/relu2/Relu_output_0": {"QLinearAdd": 1},
    }.items():
        left = _kernels(optimized(instrument(model, [by_name[name]]).model, settings))
        assert deployed - left == Counter(lost), name


def _flip(site, bit, element=0):
    group = FaultGroup(
        site=site.name,
        index=np.array([element]),
        and_mask=np.array([2**64 - 1], np.uint64),
        xor_mask=np.array([1 << bit], np.uint64),
    )
    return Scenario(number=0, groups=(group,))


def test_baked_scales_are_constants_and_keep_the_kernels(resnet):
    model, sites = resnet
    by_name = {site.name: site for site in sites}
    settings = EngineSettings()
    deployed = _kernels(optimized(model, settings))
    for name in ("stem.weight_scale", "image_scale", "/stage1/relu2/Relu_output_0_scale"):
        faulty = bake(model, _flip(by_name[name], 10), by_name)
        assert _kernels(optimized(faulty, settings)) == deployed, name
    # onnxruntime fuses a convolution while the scale of its bias is the product of the other two.
    far = bake(model, _flip(by_name["stem.weight_scale"], 30), by_name)
    assert _kernels(optimized(far, settings)) == deployed - Counter({"QLinearConv": 1})


@pytest.mark.parametrize("name", ["qdq_uint8_int8", "qoperator_uint8_int8", "dynamic_uint8"])
def test_every_stored_fault_runs_on_the_deployed_kernels(name, study):
    """Traced into the executable graph, an input that costs nothing, or baked."""
    found = study(name)
    deployed = _kernels(optimized(found.model, found.context.settings))
    with closing(Watchdog()) as watchdog:
        routes = Routes(found.context, watchdog)
        baked = set()
        for site in found.table.sites:
            if not site.kind.stored:
                continue
            route = routes.route([site.name])
            if route.opening is None:
                baked.add(_what(site))
            else:
                assert _kernels(routes.late(route).graph.model) == deployed, site.name
        assert baked == ({"scale float32", "zero_point int32"} if name.startswith("qdq") else set())


def test_faults_in_scales_are_those_of_the_baked_model(study):
    context = study("qdq_uint8_int8").context
    sites = {site.name: site for site in context.sites}
    names = ("w1_scale", "r1_scale", "b2_quantized_zero_point", "w2_quantized")
    scenarios = [replace(_flip(sites[name], 3 + k), number=k) for k, name in enumerate(names)]
    # Several at once, one of which costs a kernel: all of them are stored, so they are baked, too.
    groups = tuple(group for each in scenarios for group in each.groups)
    scenarios.append(Scenario(number=len(names), groups=groups))
    given = {}
    for engine in ("bake", "ports", "cut"):
        with closing(open_engine(engine, context)) as opened:
            for scenario in scenarios:
                outputs = [batch.faulty for batch in opened.results(scenario)]
                given.setdefault(scenario.number, {})[engine] = [each["y"] for each in outputs]
    for number, of in given.items():
        if number == names.index("w2_quantized"):
            continue  # is traced, and baked it is packed
        for engine in ("ports", "cut"):
            for one, other in zip(of["bake"], of[engine], strict=True):
                np.testing.assert_array_equal(one, other)


def test_no_kernel_misreads_a_constant_that_is_an_input(format_name, study, runs_optimized):
    """Lifted alone, each tensor of the executable graph gives what it gives as a constant."""
    if not runs_optimized(format_name):
        pytest.skip("onnxruntime can't optimise this model")
    context = study(format_name).context
    graph = optimized(context.model, context.settings)
    feeds = context.workload.batch(0, context.profile.batch_size)
    expected = Session(context.model, context.settings).run(feeds)
    for name, tensor in graph.index.initializers.items():
        if not graph.index.consumers(name):
            continue
        words = initializer_words(graph, name)
        array = in_bytes if tensor.in_bytes else from_words
        fed = {**feeds, name: array(words, tensor.element, tensor.shape)}
        lifted = Session(lift_initializers(graph, [name]), context.settings, replay=True)
        for output, values in lifted.run(fed).items():
            # Unpacked, a product of 8-bit activations is one of floats: 1 % of the largest.
            most = 0.01 * np.abs(expected[output]).max()
            np.testing.assert_allclose(values, expected[output], rtol=0, atol=most, err_msg=name)
