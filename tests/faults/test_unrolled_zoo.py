"""Steps, layers and parts of the spiking models, and their absence in all other real models."""

from __future__ import annotations

import re
from collections import defaultdict
from pathlib import Path

import onnx
import pytest

from onnxfi.faults import FaultSite, NeuronPart, enumerate_sites
from onnxfi.graph import load

MODELS = Path(__file__).parents[2] / "models"
LIGHT = Path(onnx.__file__).parent / "backend/test/data/light"
UNROLLED = ("snn_snntorch_mnist", "snn_spikingjelly_mnist")
STEPS = 8


def sites_of(model: object) -> tuple[FaultSite, ...]:
    opened = load(model)
    return enumerate_sites(opened.index, opened.inputs, opened.outputs).sites


@pytest.fixture(params=UNROLLED)
def name(request):
    return request.param


@pytest.fixture
def sites(name):
    return sites_of(MODELS / f"{name}.onnx")


def computed(sites):
    return [site for site in sites if site.kind == "activation"]


def test_steps_are_those_of_the_exporters_scopes(sites):
    """``/lif1_3/Add``, ``/lif1/surrogate_function_3/Cast``: the fourth step; no number: the first.

    Names have no part in finding steps, so this is a second opinion on every node.
    """
    scoped = [site for site in computed(sites) if site.node.count("/") > 1]
    assert len(scoped) > 190
    for site in scoped:
        numbers = re.findall(r"_(\d+)(?=/)", site.node)
        assert site.step == (int(numbers[0]) if numbers else 0), site.node


def test_weights_are_in_all_steps_and_constants_in_theirs(sites):
    stored = {site.name: site for site in sites if site.kind.stored}
    for name in ("conv1.weight", "conv1.bias", "conv2.weight", "readout.weight", "readout.bias"):
        assert (stored[name].step, stored[name].part) == (None, "synapse")
    assert stored["conv2.weight"].layer == "/conv2/Conv"
    for step in range(1, STEPS):
        own = [site for name, site in stored.items() if re.match(rf"/lif._{step}/Const", name)]
        assert own
        assert {site.step for site in own} == {step}
        assert {site.layer for site in own} == {"/lif1", "/lif2"}


def test_a_value_has_one_layer_and_one_part_in_all_its_steps(sites):
    series = defaultdict(list)
    for site in computed(sites):
        if site.series is not None:
            series[site.series].append(site)
    assert len(series) >= 30
    for first, members in series.items():
        assert members[0].name == first
        steps = [site.step for site in members]
        assert steps == list(range(steps[0], steps[0] + len(steps)))
        assert steps[0] in (0, 1), "what there is no need for in the first step begins in the next"
        assert steps[-1] in (STEPS - 1, STEPS - 2), "and what only later steps need ends before"
        for key in ("layer", "part", "op_type", "element", "kind"):
            assert len({getattr(site, key) for site in members}) == 1, (first, key)


PARTS = {
    "snn_snntorch_mnist": {
        "lif1.threshold": ("threshold", "/lif1"),
        "lif2.threshold": ("threshold", "/lif2"),
        "lif1.beta": ("decay", "/lif1"),
        "lif2.beta": ("decay", "/lif2"),
        "/conv1_3/Conv_output_0": ("current", "/conv1/Conv"),
        "/pool1_3/MaxPool_output_0": ("current", "/pool1/MaxPool"),
        "/lif1_3/Mul_output_0": ("membrane", "/lif1"),
        "/lif1_3/Sub_output_0": ("membrane", "/lif1"),
        "/lif1_3/Sub_1_output_0": ("membrane", "/lif1"),
        "/lif1_3/Greater_output_0": ("reset", "/lif1"),
        "/lif1_3/Mul_1_output_0": ("reset", "/lif1"),
        "/lif1_3/Greater_1_output_0": ("spike", "/lif1"),
        "/lif2_3/Cast_1_output_0": ("spike", "/lif2"),
        "/flatten_3/Flatten_output_0": ("spike", "/lif2"),
        "/readout_3/Gemm_output_0": ("current", "/readout/Gemm"),
        "/Sub_3_output_0": (None, "/Sub"),
        "/Add_3_output_0": (None, "/Add"),
        "logits": (None, "/Div"),
    },
    "snn_spikingjelly_mnist": {
        "/lif1/Constant_output_0": ("membrane", "/lif1"),
        "/lif1/Constant_1_output_0": ("threshold", "/lif1"),
        "/lif1/surrogate_function_3/Constant_output_0": ("threshold", "/lif1"),
        "/lif2_3/Constant_output_0": ("decay", "/lif2"),
        "/lif2_3/Constant_1_output_0": ("decay", "/lif2"),
        "/lif2_3/Constant_3_output_0": ("reset", "/lif2"),
        "/lif1_3/Div_output_0": ("membrane", "/lif1"),
        "/lif1_3/Add_1_output_0": ("membrane", "/lif1"),
        "/lif1_3/Add_2_output_0": ("membrane", "/lif1"),
        "/lif1_3/Sub_2_output_0": ("reset", "/lif1"),
        "/lif1/surrogate_function_3/Cast_output_0": ("spike", "/lif1"),
        "/pool2_3/MaxPool_output_0": ("current", "/pool2/MaxPool"),
    },
}


def test_parts_of_neurons(name, sites):
    by_name = {site.name: site for site in sites}
    for site, (part, layer) in PARTS[name].items():
        assert (by_name[site].part, by_name[site].layer) == (part, layer), site
    spikes = [site for site in sites if site.part is NeuronPart.SPIKE and site.op_type == "Cast"]
    assert len(spikes) == 2 * STEPS, "two layers of neurons fire once a step"


def without_names(model: onnx.ModelProto) -> onnx.ModelProto:
    """The same graph under names that say nothing."""
    bare = onnx.ModelProto()
    bare.CopyFrom(model)
    graph = bare.graph
    kept = {value.name for value in (*graph.input, *graph.output)}
    names: dict[str, str] = {}

    def new(name: str) -> str:
        return name if name in kept or not name else names.setdefault(name, f"v{len(names)}")

    for node in graph.node:
        node.name = ""
        node.input[:] = [new(value) for value in node.input]
        node.output[:] = [new(value) for value in node.output]
    for tensor in graph.initializer:
        tensor.name = new(tensor.name)
    del graph.value_info[:]
    return bare


def test_names_are_not_needed(name, sites):
    model = onnx.load(MODELS / f"{name}.onnx")
    bare = sites_of(without_names(model))
    assert [(site.step, site.part) for site in bare] == [(site.step, site.part) for site in sites]
    assert len({site.layer for site in bare}) == len({site.layer for site in sites})


OTHERS = [path for path in sorted(MODELS.glob("*.onnx")) if not path.stem.startswith("snn")]


@pytest.mark.parametrize(
    "path", [*OTHERS, *sorted(LIGHT.glob("*.onnx"))], ids=lambda path: path.stem
)
def test_no_other_model_is_taken_for_unrolled(path):
    for site in sites_of(path):
        assert (site.step, site.part, site.series) == (None, None, None)


def test_parts_in_a_loop_are_those_of_the_steps():
    """The looped file has the same network: its body has the parts that each step has."""
    sites = {site.name: site for site in sites_of(MODELS / "snn_snntorch_mnist_loop.onnx")}
    parts = {
        "conv1.weight": "synapse",
        "lif1.threshold": "threshold",
        "lif2.beta": "decay",
        "time/body/conv1/current": "current",
        "time/body/lif1/current": "current",
        "time/body/lif1/carried": "membrane",
        "time/body/lif1/leaked": "membrane",
        "time/body/lif1/excess": "membrane",
        "time/body/lif1/fired": "reset",
        "time/body/lif1/reset": "reset",
        "time/body/lif1/fires": "spike",
        "time/body/flatten/spike": "spike",
        "time/body/readout/current": "current",
        "time/body/readout/sum": None,
        "time/body/encoder/spike": None,
        "logits": None,
    }
    assert {name: sites[name].part for name in parts} == parts
    neurons = {site.layer for site in sites.values() if site.part in ("membrane", "spike", "decay")}
    assert neurons == {"time/body/lif1", "time/body/lif2"}
    for name, site in sites.items():
        assert site.step is None
        assert site.series is None
        if name.startswith("time/body/lif"):
            assert site.repeated
            assert site.at(3).part == site.part
