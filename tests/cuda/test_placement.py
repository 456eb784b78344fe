"""Placement on CUDA: opened sites stay on the device, but for k elements and four nodes each."""

from __future__ import annotations

from collections import Counter
from typing import Any

import pytest

RESNET = {"model": "resnet8_fashion_fp32.onnx", "kind": "activation", "op_types": ["Conv"]}
HALF = {
    "model": "resnet8_fashion_fp16.onnx",
    "kind": "activation",
    "op_types": ["Conv", "Relu", "Add"],
}
WEIGHTS = {"model": "resnet8_fashion_fp32.onnx", "kind": "weight"}
LENET = {"model": "lenet5_mnist_fp32.onnx", "kind": "activation", "op_types": ["Conv", "Relu"]}
CASES: dict[str, dict[str, Any]] = {
    "plain": {**RESNET, "open": False},
    "ports": RESNET,
    "ports, disabled": {**RESNET, "optimization": "disabled"},
    "input": {"model": RESNET["model"], "kind": "input"},
    "elements": {**RESNET, "scatter": "elements"},
    "half, plain": {**HALF, "open": False},
    "half": HALF,
    "weights": WEIGHTS,
    "weights, no flipper": {**WEIGHTS, "flipper works": False},
    "flipper": {"flip": [100_000, 7]},
    "flipper, more faults": {"flip": [1_000, 500]},
    "lenet, plain": {**LENET, "open": False},
    "lenet": LENET,
}
FLOATS = ("FLOAT", "FLOAT16", "BFLOAT16", "DOUBLE")
INTEGERS = ("INT8", "INT16", "INT32", "INT64", "UINT8", "UINT16", "UINT32", "UINT64")

#: CUDA has no kernels for these; the product of the shape's dimensions is on the CPU because
#: shapes are there anyway.
ON_CPU = {"BitCast": 2, "BitwiseAnd": 1, "BitwiseXor": 1, "ReduceProd": 1}
FLIPPER = {"Gather": 3, "Cast": 2, "Add": 2, "Unsqueeze": 1, "ScatterND": 1}
ON_CUDA = {"Shape": 1, "Reshape": 2, "Gather": 1, "Unsqueeze": 1, "ScatterND": 1}


@pytest.fixture(scope="module")
def found(examined) -> dict[str, dict[str, Any]]:
    return examined(**CASES)


def placed(case: dict[str, Any], *, injected: bool) -> dict[str, Counter[str]]:
    """Operators of injected nodes, or of the model's own, by provider."""
    counts: dict[str, Counter[str]] = {"CUDA": Counter(), "CPU": Counter()}
    for name, op_type, provider in case["nodes"]:
        if name.startswith("onnxfi/") == injected:
            counts[provider.removesuffix("ExecutionProvider")][op_type] += 1
    return counts


def times(counts: dict[str, int], sites: int) -> Counter[str]:
    return Counter({op_type: count * sites for op_type, count in counts.items()})


@pytest.mark.parametrize("name", ["ports", "ports, disabled", "half"])
def test_injected_nodes_are_on_cuda_but_the_expected_ones(found, name):
    case = found[name]
    sites = len(case["sites"])
    assert sites >= 9
    injected = placed(case, injected=True)
    assert injected["CUDA"] == times(ON_CUDA, sites)
    assert injected["CPU"] == times(ON_CPU, sites)
    assert not placed(case, injected=False)["CPU"]


@pytest.mark.parametrize(
    ("name", "baseline"),
    [("ports", "plain"), ("ports, disabled", "plain"), ("half", "half, plain")],
)
def test_every_site_adds_one_copy_each_way(found, name, baseline):
    case, plain = found[name], found[baseline]
    sites = len(case["sites"])
    for way in ("MemcpyToHost", "MemcpyFromHost"):
        assert case["memcpy"].get(way, 0) == plain["memcpy"].get(way, 0) + sites
    # The host waits for the elements of each site, and once for what it has bound.
    assert case["syncs"] == plain["syncs"] + sites + 1


@pytest.mark.parametrize("name", ["ports", "ports, disabled", "half"])
def test_a_run_copies_only_the_faults(found, name):
    """Beside the output: indices and k elements a site. The images are on the device already."""
    case = found[name]
    masks = [size for key, size in case["inputs"].items() if key.endswith("/and")]
    rest = [s for key, s in case["inputs"].items() if not key.endswith(("/and", "/xor"))]
    copies = case["copies"]
    assert copies["D2D"] == copies["ANY"] == []
    assert copies["H2D"] == sorted(rest + masks)  # the masks stay on the host, the elements go
    assert copies["D2H"] == sorted(masks + list(case["outputs"].values()))
    assert max(masks) < min(case["sites"].values())


def test_a_port_on_an_input_works_on_a_copy(found):
    """The batch on the device is there for all later runs: nothing may write to it."""
    case = found["input"]
    assert case["kept"] == case["sites"] == {"image": found["plain"]["inputs"]["image"]}
    assert case["copies"]["D2D"] == list(case["sites"].values())


def test_the_other_scatter_would_copy_every_tensor(found):
    """The stand-in sees full copies: with ScatterElements there is one for each site."""
    case = found["elements"]
    assert case["copies"]["D2D"] == sorted(case["sites"].values())


def test_lifted_weights_stay_on_cuda(found):
    """They are inputs, nothing else changes, and a run with a fault in each copies none of them."""
    case, plain = found["weights"], found["plain"]
    sites = len(case["sites"])
    assert sites == 10
    assert sorted(case["nodes"]) == sorted(plain["nodes"])
    assert case["memcpy"] == plain["memcpy"] == {}
    assert case["kept"] == {"image": plain["inputs"]["image"], **case["sites"]}
    assert case["inputs"] == {}
    copies = case["copies"]
    assert copies["D2D"] == copies["ANY"] == copies["H2H"] == []
    # Offsets and two masks: for the one byte that changes, and for the four that are put back.
    assert copies["H2D"] == sorted([*patch_bytes(1), *patch_bytes(4)] * sites)
    assert copies["D2H"] == list(case["outputs"].values())


def patch_bytes(changed: int) -> list[int]:
    """Sizes of what the flipper is fed with: int64 offsets, int32 masks."""
    return [8 * changed, 4 * changed, 4 * changed]


def test_without_a_working_flipper_tensors_are_copied_both_ways(found):
    """The stand-in sees that as well; arithmetic is not carried out, so nothing else is proven."""
    case = found["weights, no flipper"]
    both = sorted(2 * list(case["sites"].values()))
    assert case["copies"]["H2D"] == both
    assert case["copies"]["D2H"] == sorted([*both, *case["outputs"].values()])


def test_the_flipper_is_all_on_cuda(found):
    """It starts with fallback to the CPU disabled, and copies k elements whatever the tensor."""
    for name, faults in (("flipper", 7), ("flipper, more faults", 500)):
        case = found[name]
        assert case["in_place"]
        assert {provider for _, _, provider in case["nodes"]} == {"CUDAExecutionProvider"}
        assert Counter(op_type for _, op_type, _ in case["nodes"]) == FLIPPER
        assert case["copies"]["H2D"] == sorted(patch_bytes(faults))
        assert case["copies"]["D2D"] == case["copies"]["D2H"] == case["copies"]["ANY"] == []


def test_kernels_that_cuda_lacks_at_the_opset_of_bitcast(found):
    """A port on a float raises the model to opset 26, whose MaxPool CUDA has no kernel for.

    If this fails because MaxPool is on CUDA, take the limitation out of docs/engines.md.
    """
    assert not placed(found["lenet, plain"], injected=False)["CPU"]
    assert placed(found["lenet"], injected=False)["CPU"] == {"MaxPool": 2}


@pytest.mark.parametrize("name", CASES)
def test_options_reach_the_provider(found, name):
    options = found[name]["options"]
    assert found[name]["deterministic"]
    assert options["use_tf32"] == "0"
    assert options["cudnn_conv_algo_search"] == "HEURISTIC"


def test_every_element_type(examined):
    names = (*FLOATS, *INTEGERS, "BOOL")
    of_type = {"kind": "activation", "op_types": ["Identity"], "optimization": "disabled"}
    for name, case in examined(**{name: {**of_type, "element": name} for name in names}).items():
        sites = len(case["sites"])
        injected = placed(case, injected=True)
        on_cpu, on_cuda, copies = dict(ON_CPU), dict(ON_CUDA), sites
        if name not in FLOATS:
            del on_cpu["BitCast"]
        if name == "BOOL":
            on_cpu, on_cuda, copies = {"ReduceProd": 1}, {**ON_CUDA, "And": 1, "Xor": 1}, 0
        assert injected["CPU"] == times(on_cpu, sites), name
        assert injected["CUDA"] == times(on_cuda, sites), name
        for way in ("MemcpyToHost", "MemcpyFromHost"):
            assert case["memcpy"].get(way, 0) == copies, name
