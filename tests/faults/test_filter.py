from __future__ import annotations

import pytest

from onnxfi.errors import ConfigError
from onnxfi.faults import NeuronPart, SiteFilter, SiteKind, parse_steps


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


@pytest.fixture
def timed(make_site):
    return [
        make_site("w"),
        make_site("spike0", kind="activation", step=0),
        make_site("spike1", kind="activation", step=1),
        make_site("loop/body/h", kind="state", repeated=True, steps=3),
        make_site("loop/body/y", kind="activation", repeated=True),
        make_site("short/body/y", kind="activation", repeated=True, steps=1),
    ]


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        ({"steps": (1,)}, ["spike1", "loop/body/h@1", "loop/body/y@1"]),
        ({"steps": (0, 2), "targets": ("state",)}, ["loop/body/h@0", "loop/body/h@2"]),
        ({"steps": (0,), "include": ("loop/*",)}, ["loop/body/h@0", "loop/body/y@0"]),
        ({"steps": (0, 1), "include": ("loop/body/h@1", "spike*")}, ["spike0", "spike1", "H@1"]),
        ({"steps": (0, 1), "include": ("loop/body/h",)}, ["loop/body/h@0", "loop/body/h@1"]),
        ({"include": ("loop/body/h@2",)}, ["loop/body/h@2"]),
        ({"include": ("loop/body/h",)}, ["loop/body/h"]),
        ({"targets": ("activation",), "exclude": ("spike?",)}, ["loop/body/y", "short/body/y"]),
    ],
)
def test_steps(options, expected, timed):
    expected = [name.replace("H@", "loop/body/h@") for name in expected]
    assert names(timed, **options) == expected


def test_the_site_of_a_step(timed):
    (site,) = SiteFilter(steps=(1,), targets=("state",)).select(timed)
    assert (site.name, site.tensor, site.step) == ("loop/body/h@1", "loop/body/h", 1)
    assert site.at(2).name == "loop/body/h@2"
    assert site.at(3) is None
    spike = timed[2]
    assert (spike.tensor, spike.at(0)) == ("spike1", None)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (
            {"steps": (7,), "targets": ("state",)},
            "no chosen site has step 7; sites have steps 0",
        ),
        ({"steps": (0, 7), "targets": ("state",)}, "step 7; sites have steps 0 to 2"),
        ({"steps": (0,), "targets": ("weight",)}, "no site has a step"),
        ({"steps": (0, 1), "include": ("spike1",)}, "no chosen site has step 0; .* 1 to 1"),
        ({"include": ("loop/body/h@3",)}, "no chosen site matches 'loop/body/h@3'"),
    ],
)
def test_steps_that_no_site_has_are_refused(options, message, timed):
    with pytest.raises(ConfigError, match=message):
        SiteFilter(**options).select(timed)


@pytest.mark.parametrize(
    ("text", "steps"), [("3", (3,)), ("2-5", (2, 3, 4, 5)), (" 0, 4 - 6,5", (0, 4, 5, 6))]
)
def test_steps_are_read(text, steps):
    assert parse_steps(text) == steps


@pytest.mark.parametrize("text", ["", "x", "1,", "-1", "5-2", "1000000", "1-2-3"])
def test_what_is_no_choice_of_steps(text):
    with pytest.raises(ConfigError, match=r"step"):
        parse_steps(text)


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


@pytest.fixture
def spiking(make_site):
    return [
        make_site("w", part="synapse"),
        make_site("v0", kind="activation", step=0, part="membrane"),
        make_site("s0", kind="activation", step=0, part="spike"),
        make_site("v1", kind="activation", step=1, part="membrane"),
        make_site("s1", kind="activation", step=1, part="spike"),
        make_site("y", kind="activation"),
    ]


def test_parts_of_neurons(spiking):
    assert names(spiking, parts=("spike", NeuronPart.SYNAPSE)) == ["w", "s0", "s1"]
    assert names(spiking, parts=("membrane",), steps=(1,)) == ["v1"]


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"parts": ("spikes",)}, "'spikes' is not a part of a spiking neuron; did you mean 'spi"),
        ({"parts": ("decay",)}, "no chosen site is the decay of .*: membrane, spike, synapse"),
        ({"parts": ("spike",), "targets": ("weight",)}, "no chosen site is the spike"),
    ],
)  # fmt: skip
def test_parts_that_are_not_there(options, message, spiking):
    with pytest.raises(ConfigError, match=message):
        SiteFilter(**options).select(spiking)


def test_parts_of_no_spiking_network(sites):
    with pytest.raises(ConfigError, match="not recognised as a spiking one"):
        SiteFilter(parts=("spike",)).select(sites)
