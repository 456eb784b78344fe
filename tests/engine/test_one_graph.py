"""Lift, ports and cut run one executable graph: at every level they give the same bits.

But for products of floats: cut keeps the kernel that packs the matrix, and gives bake's bits.
"""

from __future__ import annotations

import numpy as np
import pytest

from onnxfi.engine import open_workload
from onnxfi.faults import BitFlip, FaultGroup, FaultSpace, Scenario
from onnxfi.graph import load
from onnxfi.sampling import UniformSampler

MODELS = [
    "lenet5_mnist_fp32",
    "lenet5_mnist_fp16",
    "lenet5_mnist_int8_qoperator",
    "lenet5_mnist_bf16",
    "lenet5_mnist_int4",
    "lenet5_mnist_int8_dynamic",
    "resnet8_fashion_fp32",
    "resnet8_fashion_fp16",
    "resnet8_fashion_int8_qdq",
    "snn_snntorch_mnist",
    "snn_spikingjelly_mnist",
]
#: Models of a kind that a cheaper one of the list, or of those of the cut engine's tests, has, too.
ALIKE = (
    "resnet8_fashion_fp16",
    "resnet8_fashion_int8_qdq",
    "snn_snntorch_mnist",
    "snn_spikingjelly_mnist",
)
IMAGES = 10


@pytest.fixture
def study(models, prepare):
    def make(name, kinds, **settings):
        model = load(models / f"{name}.onnx")
        data = "fashion" if "fashion" in name else "mnist"
        workload = open_workload(model, models / f"{data}_test1000.npz").take(IMAGES)
        prepared = prepare(model, workload, output="logits", batch_size=6, **settings)
        names = [site.name for site in prepared.context.sites if site.kind.value in kinds]
        return prepared, names

    return make


def _flips(prepared, names, count):
    space = FaultSpace([prepared.sites[name] for name in names], [BitFlip()])
    return [UniformSampler(n=count, seed=11).scenario(space, k) for k in range(count)]


def _together(scenarios, sample=None):
    """The faults of several scenarios at once; those in one site, in one group."""
    by_site: dict[str, list[FaultGroup]] = {}
    for scenario in scenarios:
        for group in scenario.groups:
            by_site.setdefault(group.site, []).append(group)
    groups = []
    for site, parts in by_site.items():
        columns = {
            name: np.concatenate([getattr(part, name) for part in parts])
            for name in ("index", "and_mask", "xor_mask")
        }
        bound = None if sample is None else np.resize(np.array(sample), len(columns["index"]))
        groups.append(FaultGroup(site=site, sample=bound, **columns))
    return Scenario(number=0, groups=tuple(groups))


def _bits(result):
    faulty = {} if result.faulty is None else result.faulty
    return [{k: v.tobytes() for k, v in sorted(found.items())} for found in (result.golden, faulty)]


def _assert_the_same(engines, scenarios, deployed=None):
    """How many scenarios changed an output; the last engine may be as one that is deployed."""
    changed = 0
    for scenario in scenarios:
        first, *others = ([_bits(r) for r in engine.results(scenario)] for engine in engines)
        if deployed is not None and others[-1] != first:
            assert others.pop() == [_bits(r) for r in deployed.results(scenario)]
        for other in others:
            assert other == first
        changed += any(golden != faulty for golden, faulty in first)
    return changed


@pytest.mark.parametrize("name", MODELS)
def test_stored_tensors(study, closing, name):
    prepared, names = study(name, ("weight", "bias"))
    # In spiking networks constants of the neurons count as weights, and some are folded.
    names = [name for name in names if "lif" not in name and "Constant" not in name]
    singles = _flips(prepared, names, 8)
    engines = [closing(prepared.engine(engine, *names)) for engine in ("lift", "ports", "cut")]
    scenarios = [*singles, _together(_flips(prepared, names, 100)), _together(singles[:2])]
    deployed = closing(prepared.engine("bake", *names))
    assert _assert_the_same(engines, scenarios, deployed)


@pytest.mark.parametrize(
    "name",
    [pytest.param(name, marks=pytest.mark.heavy if name in ALIKE else ()) for name in MODELS],
)
def test_computed_tensors(study, closing, name):
    prepared, names = study(name, ("activation", "input"))
    engines = [closing(prepared.engine(engine, *names)) for engine in ("ports", "cut")]
    flips = _flips(prepared, names, 60)
    scenarios = [
        *flips[:8],
        _together(flips),
        _together(flips[:3]),
        _together(flips, sample=[0, 4, 9, -1]),
        _together(flips[:2], sample=[7]),
    ]
    assert _assert_the_same(engines, scenarios)


@pytest.mark.parametrize(
    "name",
    [
        "resnet8_fashion_fp32",
        "lenet5_mnist_int8_qdq",
        pytest.param("resnet8_fashion_int8_qdq", marks=pytest.mark.heavy),
        pytest.param("snn_snntorch_mnist", marks=pytest.mark.heavy),
    ],
)
@pytest.mark.parametrize("level", ["extended", "disabled"])
def test_everything_at_once(study, closing, name, level):
    kinds = ("weight", "bias", "activation", "scale", "zero_point", "input")
    prepared, names = study(name, kinds, optimization=level)
    engines = [closing(prepared.engine(engine, *names)) for engine in ("ports", "cut")]
    flips = _flips(prepared, names, 60)
    scenarios = [*flips[:6], _together(flips), _together(flips[:5])]
    assert _assert_the_same(engines, scenarios)
