from __future__ import annotations

import math

import pytest

from onnxfi.errors import ConfigError
from onnxfi.faults import BitFlip, Burst, SetValue, StuckAt, parse_fault_model


@pytest.mark.parametrize(
    ("text", "model"),
    [
        ("flip", BitFlip()),
        (" flip ", BitFlip()),
        ("flip:bits=30", BitFlip(30)),
        ("flip:bits=0-7,30:count=2", BitFlip([*range(8), 30], count=2)),
        ("flip:bits=exponent", BitFlip("exponent")),
        ("stuck0", StuckAt(0)),
        ("stuck1:bits=sign", StuckAt(1, "sign")),
        ("set:0.5", SetValue(0.5)),
        ("set:-3", SetValue(-3)),
        ("set:1e30", SetValue(1e30)),
        ("set:inf", SetValue(math.inf)),
        ("set:random", SetValue("random")),
        ("burst:4", Burst(4)),
        ("burst:length=4:along=elements", Burst(4, along="elements")),
        ("burst:4:along=-2", Burst(4, along=-2)),
        ("burst:row", Burst(along="row")),
        ("burst:channel:effect=zero", Burst(along="channel", effect="zero")),
        ("burst:tile=4x2:bits=0-3", Burst(along="tile", tile=(4, 2), bits="0-3")),
    ],
)
def test_reads(text, model):
    assert parse_fault_model(text) == model


def test_value_keeps_its_exact_number():
    assert parse_fault_model("set:9007199254740993").value == 2**53 + 1
    assert math.isnan(parse_fault_model("set:nan").value)
    assert parse_fault_model(SetValue(-0.0).spec()).spec() == "set:-0.0"


def test_bits_given_apart():
    assert parse_fault_model("flip", bits="0-3") == BitFlip("0-3")
    assert parse_fault_model("burst:2", bits=[0, 1, 2]) == Burst(2, bits="0-2")
    assert parse_fault_model("set:1", bits=None) == SetValue(1)


@pytest.mark.parametrize(
    ("text", "bits", "message"),
    [
        ("flop", None, "did you mean 'flip'"),
        ("magic", None, "unknown fault model 'magic'; there are: flip, stuck0"),
        ("", None, "unknown fault model ''"),
        ("custom:f", None, "pass it as CustomFault from Python"),
        ("flip:30", None, r"did you mean flip:bits=30"),
        ("flip:bit=30", None, "unknown option 'bit'; did you mean 'bits'"),
        ("flip:bits=", None, "empty or given twice"),
        ("flip:bits=1:bits=2", None, "empty or given twice"),
        ("flip:count=x", None, "count 'x' is not a whole number"),
        ("flip:bits=1", "2", "bits are given apart too"),
        ("flip:bits=-1", None, "bit -1 does not exist"),
        ("set", None, "needs a value"),
        ("set:abc", None, "'abc' is not a number"),
        ("set:1", "3", "leave bits out"),
        ("set:1:bits=3", None, "leave bits out"),
        ("burst", None, "needs a length"),
        ("burst:x", None, "length 'x' is not a whole number"),
        ("burst:2:along=up", None, "along 'up' is not a whole number"),
        ("burst:tile=4", None, "tile '4' is not like 4x4"),
        ("burst:4:effect=melt", None, "effect 'melt'"),
    ],
)
def test_refuses(text, bits, message):
    with pytest.raises(ConfigError, match=message):
        parse_fault_model(text, bits)
