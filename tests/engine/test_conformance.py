"""What every engine must keep to, over all of ours."""

from __future__ import annotations

from onnxfi.engine import ENGINES
from onnxfi.testing import EngineSuite


class TestBake(EngineSuite):
    name = "bake"
    targets = ("weight", "activation")


class TestLift(EngineSuite):
    name = "lift"


class TestPorts(EngineSuite):
    name = "ports"
    targets = ("weight", "activation")


class TestCut(EngineSuite):
    name = "cut"
    targets = ("weight", "activation")


def test_all_engines_are_here():
    assert {each.name for each in EngineSuite.__subclasses__()} == set(ENGINES.names())
