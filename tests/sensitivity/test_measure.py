"""Measured sensitivities against what faults really do, on real models."""

from __future__ import annotations

from dataclasses import replace
from typing import NamedTuple

import numpy as np
import pytest
from numpy.typing import NDArray

from onnxfi.engine import (
    EngineContext,
    EngineSettings,
    golden_run,
    open_engine,
    open_workload,
    profile,
)
from onnxfi.faults import BitFlip, FaultSite, FaultSpace, Scenario, SiteFilter, enumerate_sites
from onnxfi.graph import load
from onnxfi.outcome import choose_criterion
from onnxfi.sampling import scored
from onnxfi.sensitivity import Sensitivity, measure
from onnxfi.settings import SensitivityOptions
from onnxfi.workload import Workload

MNIST, FASHION = "models/mnist_test1000.npz", "models/fashion_test1000.npz"


class Subject(NamedTuple):
    """A model on calibration samples and on others, and its sites."""

    context: EngineContext
    test: Workload
    sites: tuple[FaultSite, ...]


def subject(model_path: str, data: str, *chosen: str, samples: int = 24) -> Subject:
    model = load(model_path)
    arrays = np.load(data)
    first = {name: arrays[name][:samples] for name in arrays.files}
    last = {name: arrays[name][-48:] for name in arrays.files}
    workload, test = (open_workload(model, each) for each in (first, last))
    settings = EngineSettings(batch_size=samples)
    table = enumerate_sites(model.index, model.inputs, model.outputs)
    wanted = SiteFilter(targets=chosen).select(table.sites)
    found = profile(model, workload, settings, [s.tensor for s in wanted if not s.kind.stored])
    known = enumerate_sites(
        model.index, model.inputs, model.outputs, found.layouts, found.left_out
    ).by_name()
    golden = golden_run(model, workload, found, settings)
    sites = tuple(known[site.name] for site in wanted if site.name in known)
    context = EngineContext(
        model=model,
        workload=workload,
        profile=found,
        settings=settings,
        sites=sites,
        criterion=choose_criterion(golden.outputs[0], found.outputs, labels=workload.labels),
    )
    return Subject(context, test, sites)


def likely(found: Sensitivity, space: FaultSpace) -> NDArray[np.float64]:
    return np.concatenate([part.values for part in scored(space, found.scores)])


def failing(case: Subject, space: FaultSpace, numbers: NDArray[np.int64]) -> NDArray[np.bool_]:
    """Which faults fail on the test samples, by injection."""
    found = profile(
        case.context.model,
        case.test,
        case.context.settings,
        [site.tensor for site in case.sites if not site.kind.stored],
    )
    context = replace(case.context, workload=case.test, profile=found)
    groups = space.single_groups(numbers)
    scenarios = [Scenario(number=k, groups=each) for k, each in enumerate(groups)]
    engine = open_engine("cut", context)
    right = engine.golden_counts.correct
    assert right is not None
    done = [each.counts.correct for each in engine.run_many(scenarios)]
    engine.close()
    return np.array([(right - (now or 0)) / right >= 0.05 for now in done])


CASES = [
    ("models/lenet5_mnist_fp32.onnx", MNIST, ("weight", "bias"), 0),
    ("models/lenet5_mnist_fp32.onnx", MNIST, ("weight", "bias"), 1),
    ("models/lenet5_mnist_fp16.onnx", MNIST, ("weight",), 1),
    ("models/lenet5_mnist_fp32.onnx", MNIST, ("activation",), 1),
    ("models/snn_snntorch_mnist.onnx", MNIST, ("weight",), 0),
]


@pytest.mark.parametrize(("path", "data", "targets", "tier"), CASES)
def test_faults_of_high_scores_fail_and_others_don_t(
    path: str, data: str, targets: tuple[str, ...], tier: int
) -> None:
    case = subject(path, data, *targets)
    found = measure(case.context, case.sites, SensitivityOptions(tier=tier))
    space = FaultSpace(case.sites, [BitFlip()])
    scores = likely(found, space)
    order = np.argsort(-scores, kind="stable")
    rng = np.random.default_rng(7)
    top = np.sort(rng.choice(order[:400], 30, replace=False))
    bottom = np.sort(rng.choice(order[len(order) // 2 :], 30, replace=False))
    assert failing(case, space, top).mean() > 0.85
    assert failing(case, space, bottom).mean() < 0.05


def test_probes_find_the_few_faults_of_integers_that_fail() -> None:
    case = subject("models/lenet5_mnist_int8_qdq.onnx", MNIST, "activation")
    sites = tuple(site for site in case.sites if "INT" in site.element.name)
    case = case._replace(sites=sites, context=replace(case.context, sites=sites))
    found = measure(case.context, case.sites, SensitivityOptions())
    space = FaultSpace(sites, [BitFlip()])
    scores = likely(found, space)
    numbers = np.arange(space.segments[-1].start, space.size)  # the quantized logits
    fails = failing(case, space, numbers)
    assert fails.sum() >= 10
    best = np.argsort(-scores, kind="stable")[: fails.sum()]
    assert np.isin(numbers[fails], best).mean() > 0.8


def test_a_sensitivity_is_repeatable_and_says_where_its_scores_come_from() -> None:
    case = subject("models/lenet5_mnist_int8_qdq.onnx", MNIST, "weight", "bias", "scale")
    first, second = (
        measure(case.context, case.sites, SensitivityOptions(samples=24)) for _ in range(2)
    )
    assert first.scores.digest == second.scores.digest
    assert first.cost == second.cost
    assert set(first.methods) == {site.name for site in case.sites}
    assert first.methods["conv1.weight_quantized"] == "probes"
    assert set(first.methods.values()) == {"probes", "trials"}
    assert first.cost.samples > 0


def test_rules_alone_run_only_what_checks_them() -> None:
    case = subject("models/lenet5_mnist_fp32.onnx", MNIST, "weight")
    found = measure(case.context, case.sites, SensitivityOptions(tier=0))
    assert set(found.methods.values()) == {"rule"}
    # Eight faults a site.
    assert found.cost.samples <= 8 * len(case.sites) * case.context.workload.samples


def test_progress_names_what_is_done() -> None:
    case = subject("models/lenet5_mnist_fp32.onnx", MNIST, "weight", samples=8)
    seen: dict[str, list[tuple[int, int]]] = {}

    def told(what: str, done: int, total: int) -> None:
        seen.setdefault(what, []).append((done, total))

    measure(case.context, case.sites, SensitivityOptions(), told)
    assert list(seen) == ["calibration", "probes"]
    for steps in seen.values():
        assert [done for done, _ in steps] == sorted(done for done, _ in steps)
        assert steps[-1][0] == steps[-1][1]


def test_few_bytes_keep_fewer_samples_of_what_was_seen() -> None:
    case = subject("models/lenet5_mnist_fp32.onnx", MNIST, "activation", samples=8)
    found = measure(case.context, case.sites, SensitivityOptions(tier=0, kept_bytes=1))
    assert {len(each.words) for each in found.scores.sites.values()} == {1}  # type: ignore[union-attr]


def test_integer_biases_that_overflow_are_found_by_real_faults() -> None:
    """A sum that falls below the least integer goes on from the largest: no shift does that."""
    case = subject("models/lenet5_mnist_int8_qdq.onnx", MNIST, "bias")
    found = measure(case.context, case.sites, SensitivityOptions())
    assert set(found.methods.values()) == {"probes"}
    corrected = [note.split(":")[0] for note in found.notes if "as probes say" in note]
    assert "fc3.bias_quantized" in corrected
    (last,) = (site for site in case.sites if site.name == "fc3.bias_quantized")
    space = FaultSpace([last], [BitFlip(bits="29-31")])
    fails = failing(case, space, np.arange(space.size))
    assert fails.mean() > 0.5
    assert likely(found, space)[fails].mean() > 0.8
