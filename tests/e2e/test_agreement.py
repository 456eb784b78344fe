"""The engines on the models of the zoo: what the documentation promises, on a few scenarios."""

from __future__ import annotations

import argparse
import importlib.util
import sys
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType

import pytest

ROOT = Path(__file__).resolve().parents[2]

#: How far fault-free outputs of an instrumented session may be from the untouched model's.
TOLERANCE = {
    "resnet8_fashion_fp32.onnx": 1e-5,
    "lenet5_mnist_fp16.onnx": 5e-3,
    "resnet8_fashion_int8_qdq.onnx": 0.2,
    "lenet5_mnist_int8_dynamic.onnx": 0.0,
    "snn_snntorch_mnist.onnx": 1e-5,
}

#: Models whose weights all have a map into the executable graph.
MAPPED = set(TOLERANCE) - {"snn_snntorch_mnist.onnx"}


@pytest.fixture(scope="module")
def tool() -> Iterator[ModuleType]:
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(str(ROOT / "tools"))  # where it finds its own packages
        yield _loaded()


def _loaded() -> ModuleType:
    spec = importlib.util.spec_from_file_location(
        "compare_engines", ROOT / "tools" / "compare_engines.py"
    )
    assert spec
    assert spec.loader
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module  # dataclasses look their module up
    spec.loader.exec_module(module)
    return module


@pytest.mark.parametrize("kind", ["weight", "activation"])
@pytest.mark.parametrize("level", ["disabled", "all"])
@pytest.mark.parametrize(
    "name",
    [
        pytest.param(name, marks=pytest.mark.heavy if name.startswith(("snn", "resnet8")) else ())
        for name in TOLERANCE
    ],
)
def test_engines_agree_and_disarmed_is_the_original(tool, name, level, kind):
    options = argparse.Namespace(scenarios=6, images=20, provider="cpu")
    agreements = tool.compare(ROOT / "models" / name, kind, level, options)
    compared = {found.engine for found in agreements}
    lifted = {"lift"} if kind == "weight" and name in MAPPED else set()
    assert compared >= {"ports", "cut"} | lifted
    for found in agreements:
        assert found.samples == 120
        assert found.decided == 0
        assert found.drift <= TOLERANCE[name]
        assert found.turned == 0
        assert found.holds
        if level == "disabled":
            assert found.bits == 0
            assert found.moved == 0


def test_the_tool_would_see_a_difference(tool):
    same = tool.Agreement(
        model="m", engine="cut", kind="weight", level="disabled", scenarios=1, samples=10_000
    )
    assert same.holds
    assert not tool.replace(same, bits=1).holds
    assert not tool.replace(same, bits=1, model="m_fp16", engine="ports").holds
    assert tool.replace(same, level="all", bits=5, decided=1).holds
    assert not tool.replace(same, level="all", decided=2).holds
