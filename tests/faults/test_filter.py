from __future__ import annotations

import pytest

from onnxfi.errors import ConfigError
from onnxfi.faults import SiteFilter, SiteKind


@pytest.fixture
def sites(make_site):
    return [
        make_site("conv1.weight", op_type="Conv"),
        make_site("conv1.bias", kind="bias", op_type="Conv"),
        make_site("fc[0].weight", op_type="Gemm"),
        make_site("/relu/Relu_output_0", kind="activation", op_type="Relu"),
    ]


def names(sites, **options):
    return [site.name for site in SiteFilter(**options).select(sites)]


def test_no_restriction_takes_all(sites):
    assert names(sites) == [site.name for site in sites]


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        ({"targets": ("weight",)}, ["conv1.weight", "fc[0].weight"]),
        ({"targets": (SiteKind.BIAS, "activation")}, ["conv1.bias", "/relu/Relu_output_0"]),
        ({"include": ("conv1.*",)}, ["conv1.weight", "conv1.bias"]),
        ({"include": ("fc[0].weight", "*bias")}, ["conv1.bias", "fc[0].weight"]),
        ({"exclude": ("*weight",)}, ["conv1.bias", "/relu/Relu_output_0"]),
        ({"exclude": ("nothing like it",)}, None),
        ({"op_types": ("Gemm", "Relu")}, ["fc[0].weight", "/relu/Relu_output_0"]),
        ({"targets": ("weight",), "op_types": ("Conv",)}, ["conv1.weight"]),
    ],
)
def test_chooses(options, expected, sites):
    assert names(sites, **options) == (expected or [site.name for site in sites])


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"targets": ("weights",)}, "'weights' is not a kind of site; did you mean 'weight'"),
        ({"targets": ("x",)}, "kinds: weight, bias, activation"),
        ({"targets": ("scale",)}, "no scale sites; it has: activation 1, bias 1, weight 2"),
        ({"include": ("conv1.wieght",)}, "no chosen site matches 'conv1.wieght'; near: 'conv1.w"),
        ({"include": ("CONV1*",)}, "no chosen site matches"),
        ({"targets": ("bias",), "include": ("fc*",)}, "no chosen site matches"),
        ({"op_types": ("conv",)}, "no chosen operator matches 'conv'; near: 'Conv'"),
        ({"exclude": ("*",)}, "no site is left of 4"),
        ({"include": ("*bias",), "op_types": ("Gemm",)}, "no site is left"),
    ],
)
def test_choices_that_match_nothing_are_refused(options, message, sites):
    with pytest.raises(ConfigError, match=message):
        SiteFilter(**options).select(sites)


def test_a_model_without_sites():
    with pytest.raises(ConfigError, match="it has: no sites"):
        SiteFilter().select([])
