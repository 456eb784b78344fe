"""What is a site in every format: weights, biases, scales, zero points, integer values."""

from __future__ import annotations

from dataclasses import replace

import pytest

from onnxfi.engine import profile
from onnxfi.errors import BackendError
from onnxfi.faults import SiteKind

KINDS = {
    "qdq_uint8_int8": {
        "weight int8": "w1_quantized w2_quantized w3_quantized w4_quantized",
        "bias int32": "b1_quantized b2_quantized b3_quantized",
        "scale float32": "x_scale r1_scale w1_scale b1_quantized_scale y_scale",
        "zero_point uint8": "x_zero_point r1_zero_point y_zero_point",
        "zero_point int8": "w1_zero_point",
        "zero_point int32": "b1_quantized_zero_point",
        "activation uint8": "x_QuantizeLinear_Output r1_QuantizeLinear_Output",
        "activation float32": "x_DequantizeLinear_Output c2",
    },
    "qdq_int16_int16": {
        "weight int16": "w1_quantized",
        "zero_point int16": "x_zero_point",
        "activation int16": "x_QuantizeLinear_Output",
    },
    "qdq_uint8_int4": {
        "weight int4": "w1_quantized w4_quantized",
        "zero_point int4": "w1_zero_point",
    },
    "qdq_uint8_uint4": {"weight uint4": "w1_quantized", "zero_point uint4": "w1_zero_point"},
    "qdq_float8": {
        "weight float8e4m3fn": "w1_quantized",
        "zero_point float8e4m3fn": "x_zero_point",
        "activation float8e4m3fn": "x_QuantizeLinear_Output",
    },
    "qoperator_uint8_int8": {
        "weight int8": "w1_quantized",
        "bias int32": "b1_quantized",
        "scale float32": "x_scale w1_scale c2_scale",
        "zero_point uint8": "x_zero_point",
        "zero_point int8": "w1_zero_point",
        "activation uint8": "x_quantized p_quantized g_quantized",
    },
    "dynamic_uint8": {
        "weight uint8": "w1_quantized w3_quantized",
        "scale float32": "w1_scale",
        "zero_point uint8": "w1_zero_point",
        "bias float32": "b1 b3",
        "activation uint8": "x_quantized",
        "activation int32": "c1_output_quantized",
    },
    "matmul_nbits_4": {
        "weight uint4": "B",
        "scale float32": "scales",
        "zero_point uint4": "zeros",
    },
    "blocks_of_int4": {"weight int4": "W", "scale float32": "scales"},
    "gather_blocks": {
        "weight uint4": "E",
        "zero_point uint4": "zeros",
        "scale float32": "scales",
    },
    "dynamic_matmul": {
        "weight uint8": "B",
        "scale float32": "scale",
        "zero_point uint8": "zero",
        "bias float32": "bias",
    },
    "integer_to_float": {"weight uint8": "B", "activation uint8": "q z", "activation float32": "s"},
    "matmul_integer": {"weight uint8": "W", "activation int32": "acc", "zero_point uint8": "zero"},
    "conv_integer": {"weight uint8": "W", "activation int32": "acc", "zero_point uint8": "z"},
    "attention": {
        "weight uint8": "W",
        "bias float32": "bias",
        "scale float32": "s scale",
        "zero_point uint8": "z zero",
        "activation uint8": "q",
    },
    "dynamic_lstm": {
        "weight uint8": "W R",
        "bias float32": "B",
        "scale float32": "ws rs",
        "zero_point uint8": "wz rz",
        "activation float32": "h",
    },
    "integer_chain": {"scale float32": "s1 s7", "zero_point uint8": "z4", "activation uint8": "l"},
    "int4": {"weight int4": "W", "activation int4": "q", "zero_point int4": "zero"},
    "uint4": {"weight uint4": "W", "activation uint4": "q", "zero_point uint4": "zero"},
    "float8_e5m2": {"weight float8e5m2": "W", "activation float8e5m2": "q"},
    "float16": {"weight float16": "W V", "bias float16": "bias", "activation float16": "h g r"},
    "float64": {"weight float64": "W V", "bias float64": "bias", "activation float64": "h g r"},
    "bfloat16": {"weight bfloat16": "W V", "activation bfloat16": "h"},
}


@pytest.mark.parametrize("name", KINDS)
def test_kinds_and_types(name, study):
    sites = study(name).table.by_name()
    for words, names in KINDS[name].items():
        for each in names.split():
            site = sites[each]
            assert f"{site.kind} {site.element.value}" == words, each
            assert site.layout is not None


def test_everything_that_is_stored_is_a_site(format_name, study):
    """But for shapes and axes, which are part of the program."""
    found = study(format_name)
    stored = {site.name for site in found.table.sites if site.kind.stored}
    for name, tensor in found.model.index.initializers.items():
        if name not in stored:
            (left,) = (each for each in found.table.left_out if each.name == name)
            assert left.reason.startswith("structural"), name
            assert tensor.element.value == "int64"


def test_dynamically_quantized_models_run_sample_by_sample(study):
    """The range of an activation is taken over the whole batch, so rows influence each other."""
    for name in ("dynamic_uint8", "dynamic_int8", "dynamic_matmul", "integer_to_float"):
        profile = study(name).context.profile
        assert profile.batch_size == 1
        assert not profile.rows_independent
        assert profile.reason == "replacing one sample changes output 'y' of others"
    static = study("qdq_uint8_int8").context.profile
    assert static.rows_independent
    assert static.batch_size > 1


def test_a_layer_has_all_its_numbers(study):
    """What quantizes a convolution belongs to it, whatever operator reads it first."""
    sites = study("qdq_uint8_int8").table.by_name()
    of_conv2 = {name for name, site in sites.items() if site.layer == "conv2"}
    assert {"w2_quantized", "w2_scale", "b2_quantized", "b2_quantized_scale"} <= of_conv2
    kinds = {sites[name].kind for name in of_conv2}
    assert kinds == {
        SiteKind.WEIGHT,
        SiteKind.BIAS,
        SiteKind.SCALE,
        SiteKind.ZERO_POINT,
        SiteKind.ACTIVATION,
    }


def test_a_model_that_only_optimisation_breaks_says_so(study):
    """onnxruntime fuses float8 into integer operators, which it then refuses."""
    context = study("float8_e5m2").context
    settings = replace(context.settings, optimization="all")
    with pytest.raises(BackendError, match=r"QGemm.*it loads with --optimization disabled"):
        profile(context.model, context.workload, settings)
