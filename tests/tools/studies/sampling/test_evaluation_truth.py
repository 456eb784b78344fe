"""Truths: made in stages, resumed, and turned into a population; a real network injected."""

from __future__ import annotations

import json
import sys
from dataclasses import replace
from pathlib import Path

import eval_sampling
import numpy as np
import pytest
from evaluation.bench import Bench, images, prepare, select
from evaluation.inject import PORTION, close_stage, is_made, make_truth, uniform_stages
from evaluation.methods import scores_at
from evaluation.population import population
from evaluation.search import Outcomes, every_score, highest, searches
from evaluation.tables import markdown
from evaluation.targets import CALIBRATION_IMAGES, TARGETS, TEST_IMAGES, Target, chosen
from evaluation.truth import Truth, bits_of, level

import onnxfi as fi
from onnxfi.bits import ElementType
from onnxfi.errors import ConfigError
from onnxfi.faults import BitFlip, FaultSite, FaultSpace, SampleLayout, SiteKind, enumerate_sites
from onnxfi.graph import load
from onnxfi.sampling import ArrayScores, Mixture

ROOT = Path(__file__).resolve().parents[4]
MODELS = [ROOT / "models"]
LAST = Target(
    model="lenet5_mnist_fp32",
    what="last",
    inputs="mnist_test1000",
    kind="weight",
    include=("fc3.weight",),
    sampled={30: 60},
    uniform=200,
)


def site(name: str, elements: int, element: ElementType) -> FaultSite:
    return FaultSite(
        name=name,
        kind=SiteKind.WEIGHT,
        element=element,
        node="node",
        op_type="Conv",
        layer="node",
        layout=SampleLayout(shape=(elements,), batch_axis=None),
    )


SPACE = FaultSpace([site("a", 5, ElementType.UINT8), site("b", 40, ElementType.UINT8)], [BitFlip()])
TOY = Target(
    model="toy",
    what="weights",
    inputs="none",
    kind="weight",
    census=(7,),
    downwards=(6, 5, 4, 3, 2, 1, 0),
    uniform=50,
)


class Toy:
    """Flips of bits 7 and 6 in every third element fail; and what it was asked for."""

    golden = 100

    def __init__(self, space: FaultSpace = SPACE, stop_after: int | None = None) -> None:
        self.space = space
        self.asked: list[int] = []
        self._left = stop_after

    def drops(self, numbers):
        for number in numbers.tolist():
            if self._left == 0:
                raise KeyboardInterrupt
            self._left = None if self._left is None else self._left - 1
            self.asked.append(number)
            yield np.array([truth_of(number)], np.float32)


def truth_of(number: int) -> float:
    return 0.3 if number % 8 >= 6 and number // 8 % 3 == 0 else 0.01


def test_levels_are_bits():
    every = np.arange(SPACE.size)
    located = SPACE.where(every)
    np.testing.assert_array_equal(bits_of(SPACE, every), located.bit)
    np.testing.assert_array_equal(level(SPACE, 5), every[located.bit == 5])
    mixed = FaultSpace(
        [site("a", 2, ElementType.UINT8), site("b", 3, ElementType.FLOAT)], [BitFlip()]
    )
    assert len(level(mixed, 30)) == 3
    assert len(level(mixed, 7)) == 5


def test_a_census_goes_down_until_a_bit_is_clean(tmp_path):
    truth = make_truth(TOY, Toy(), tmp_path, lambda text: None)
    assert truth.census_bits.tolist() == [5, 6, 7]
    assert "bit 5" in truth.skipped_reason
    assert truth.complete
    read = Truth.read(tmp_path / f"{TOY.name}.npz")
    np.testing.assert_array_equal(read.fault, truth.fault)
    np.testing.assert_allclose(read.drop, [truth_of(number) for number in read.fault.tolist()])
    assert set(uniform_stages(TOY, SPACE)[0].numbers.tolist()) <= set(read.fault.tolist())
    assert read.skipped_reason == truth.skipped_reason


def test_a_coarse_truth_is_the_first_part_of_a_whole_one(tmp_path, monkeypatch):
    monkeypatch.setattr("evaluation.inject.PORTION", 16)
    some = replace(TOY, census=(), downwards=(), sampled={7: 40})
    assert PORTION > 16
    coarse = make_truth(some, Toy(), tmp_path, lambda text: None, coarse=True)
    assert (is_made(some, tmp_path, coarse=True), is_made(some, tmp_path, coarse=False)) == (1, 0)
    assert len(coarse.uniform) == 16
    toy = Toy()
    whole = make_truth(some, toy, tmp_path, lambda text: None)
    assert is_made(some, tmp_path, coarse=False)
    assert len(whole.uniform) == 50
    assert set(coarse.uniform.tolist()) < set(whole.uniform.tolist())
    assert set(coarse.fault.tolist()) < set(whole.fault.tolist())
    assert len(toy.asked) == 50 + 40 - 2 * 16
    assert population(coarse, SPACE).size == population(whole, SPACE).size


def test_a_reason_that_the_uniform_sample_refutes_is_none(tmp_path):
    class Odd(Toy):
        def drops(self, numbers):
            yield (numbers % 8 == 0).astype(np.float32)

    truth = make_truth(TOY, Odd(), tmp_path, lambda text: None)
    assert truth.census_bits.tolist() == [6, 7]
    assert truth.skipped_reason == ""
    assert not truth.complete


def test_an_interrupted_truth_goes_on(tmp_path, monkeypatch):
    monkeypatch.setattr("evaluation.inject._SAVE_S", 0.0)
    whole = make_truth(TOY, Toy(), tmp_path / "whole", lambda text: None)
    first = Toy(stop_after=70)
    with pytest.raises(KeyboardInterrupt):
        make_truth(TOY, first, tmp_path / "halves", lambda text: None)
    second = Toy()
    again = make_truth(TOY, second, tmp_path / "halves", lambda text: None)
    np.testing.assert_array_equal(whole.fault, again.fault)
    np.testing.assert_array_equal(whole.drop, again.drop)
    # What was saved is not done again: all but what came after the last save.
    assert len(first.asked) + len(second.asked) <= 50 + 3 * 45 + 1


def test_a_population_stands_for_all_faults(tmp_path):
    sampled = replace(TOY, census=(7,), downwards=(), sampled={6: 30})
    truth = make_truth(sampled, Toy(), tmp_path, lambda text: None)
    known = population(truth, SPACE)
    assert known.size == SPACE.size == int(known.copies.sum())
    bits = bits_of(SPACE, known.fault)
    assert (known.copies[bits == 7] == 1).all()
    assert known.copies[bits == 6].sum() == 45
    assert not known.exact
    rate = known.rate(0.05)
    assert rate.low < 30 / 360 < rate.high
    assert known.critical(0.05) == pytest.approx(30, abs=6)
    assert known.critical(0.5) == 0


def test_a_population_with_a_census_is_exact(tmp_path):
    known = population(make_truth(TOY, Toy(), tmp_path, lambda text: None), SPACE)
    assert known.exact
    assert known.critical(0.05) == 30
    assert known.rate(0.05).value == known.rate(0.05).high == 30 / 360
    assert known.size == 360


def test_some_sites_are_looked_at_closely(tmp_path):
    some = replace(
        TOY, census=(), downwards=(), closely=("a",), closely_bits=(7, 6), sampled={7: 20}
    )
    truth = make_truth(some, Toy(), tmp_path, lambda text: None)
    known = population(Truth.read(tmp_path / f"{TOY.name}.npz"), SPACE)
    bits, home = bits_of(SPACE, known.fault), SPACE.site_positions(known.fault)
    near = (home == 0) & (bits >= 6)
    assert near.sum() == 10
    assert (known.copies[near] == 1).all()
    assert known.copies[(home == 1) & (bits == 7)].sum() == 40
    assert known.size == SPACE.size == int(known.copies.sum())
    assert set(close_stage(some, SPACE).numbers.tolist()) <= set(truth.fault.tolist())
    assert not known.exact


def test_a_truth_of_another_space_is_refused(tmp_path):
    truth = make_truth(TOY, Toy(), tmp_path, lambda text: None)
    other = FaultSpace([site("a", 5, ElementType.UINT8)], [BitFlip()])
    with pytest.raises(ConfigError, match="360 faults, the target has 40"):
        population(truth, other)


def test_drops_are_those_of_a_campaign(tmp_path):
    """The same faults by another engine, through the public front."""
    faults = fi.BitFlip()
    np.savez(tmp_path / "images.npz", **images(LAST, MODELS, slice(TEST_IMAGES)))
    sampler = fi.UniformSampler(n=300, seed=4)
    campaign = fi.Campaign.create(
        tmp_path / "run",
        model=MODELS[0] / "lenet5_mnist_fp32.onnx",
        inputs=tmp_path / "images.npz",
        targets=["weight"],
        include=["fc3.weight"],
        fault_model=faults,
        sampler=sampler,
        engine="lift",
    )
    campaign.run()
    bench = Bench(LAST, MODELS)
    numbers = sampler.fault_numbers(bench.space, 0, 300)
    drops = np.concatenate(list(bench.drops(numbers)))
    bench.close()
    right = np.array([row["correct"] for row in campaign.rows()])
    np.testing.assert_array_equal(drops, ((bench.golden - right) / bench.golden).astype("f4"))
    assert (drops >= 0.05).any()
    assert campaign.estimate("failure").value == (drops >= np.float32(0.05)).mean()


def test_a_small_target_from_end_to_end(tmp_path, monkeypatch, capsys):
    monkeypatch.setattr("evaluation.targets.chosen.__defaults__", ((LAST,),))
    common = ["--models", str(MODELS[0]), "--truth", str(tmp_path)]
    monkeypatch.setattr(sys, "argv", ["eval_sampling.py", "truth", *common])
    assert eval_sampling.main() == 0
    space = prepare(LAST, MODELS).space
    scores = {"fc3.weight": np.ones((space.sites[0].layout.elements, 32))}
    scores["fc3.weight"][:, 30] = 1_000
    (tmp_path / "mine").mkdir()
    np.savez(tmp_path / "mine" / f"{LAST.name}.npz", **scores)
    (tmp_path / "mine" / f"{LAST.name}.json").write_text('{"probe_inferences": 400}')
    rows, table = tmp_path / "rows.json", tmp_path / "table.md"
    words = ["run", *common, "-o", str(rows), "--markdown", str(table), "--replicates", "40"]
    words += ["--scores", f"mine={tmp_path / 'mine'}", "--seeds", "20", "--inject"]
    words += ["--search", "0.02,1.5"]
    monkeypatch.setattr(sys, "argv", ["eval_sampling.py", *words])
    assert eval_sampling.main() == 0
    document = json.loads(rows.read_text())
    assert document["format"] == eval_sampling.FORMAT
    found = {(r.get("method"), r["task"], r["drop"]): r for r in document["rows"]}
    mine, plain = found["mine", "discovery", 0.05], found["population-uniform", "discovery", 0.05]
    assert mine["precision"]["value"] > 5 * plain["precision"]["value"]
    assert mine["probes"] == 2
    assert mine["injected"]
    assert mine["mixture"] == [0.02, 1.5]
    assert (tmp_path / f"{LAST.name}.more.npz").exists()
    assert found["mine", "estimation", 0.05]["variance_reduction"] > 3
    assert found["population-uniform", "draws", 0.05]["expected"] == pytest.approx(
        found[None, "truth", 0.05]["p0"]["value"], rel=0.01
    )
    own = found["population-uniform", "draws", 0.05]
    assert own["missed"] == 0
    assert own["variance_reduction"] == pytest.approx(1, rel=0.01)
    assert own["coverage"] > 0.6
    text = table.read_text()
    assert "sampler of its own" in text
    assert text.count(LAST.name) >= 3
    assert "done" in capsys.readouterr().err


def test_scores_at_are_those_of_the_arrays():
    arrays = {"a": np.arange(5.0), "b": np.arange(40 * 8.0).reshape(40, 8)}
    scores = ArrayScores.read(arrays, {each.name: each for each in SPACE.sites})
    numbers = np.array([0, 9, 39, 40, 41, 359])
    np.testing.assert_array_equal(scores_at(SPACE, scores, numbers), [0, 1, 4, 0, 1, 319])


def test_all_scores_are_in_the_order_of_fault_numbers():
    arrays = {"a": np.arange(5.0), "b": np.arange(40 * 8.0).reshape(40, 8)}
    scores = ArrayScores.read(arrays, {each.name: each for each in SPACE.sites})
    every = np.arange(SPACE.size)
    np.testing.assert_array_equal(every_score(SPACE, scores), scores_at(SPACE, scores, every))


def test_the_highest_scores_with_ties_at_random():
    scores = np.array([1.0, 5, 2, 2, 2, 9])
    drawn = [highest(scores, 3, seed).tolist() for seed in range(40)]
    assert all({1, 5} < set(each) for each in drawn)
    assert {each for some in drawn for each in some} == {1, 2, 3, 4, 5}


def test_searches_are_of_different_faults_by_seed():
    scores = np.random.default_rng(0).random(500)
    found = searches(scores, Mixture(power=2), n=30, seeds=4, start=3)
    assert found.shape == (4, 30)
    assert all(len(set(each)) == 30 for each in found.tolist())
    assert len(np.unique(found)) > 60
    assert scores[found].mean() > scores.mean()
    np.testing.assert_array_equal(found, searches(scores, Mixture(power=2), n=30, seeds=4, start=3))


def test_chosen_faults_are_injected_once(tmp_path):
    sampled = replace(TOY, census=(7,), downwards=())
    truth = make_truth(sampled, Toy(), tmp_path, lambda text: None)
    chosen_ones = np.array([[0, 6, 7], [8, 6, 30]])
    toy = Toy()
    outcomes = Outcomes(truth, tmp_path / "more.npz", lambda: toy)
    expected = [[truth_of(n) for n in row] for row in chosen_ones.tolist()]
    for _ in range(2):
        np.testing.assert_allclose(outcomes.drops(chosen_ones), expected)
    assert sorted(toy.asked) == sorted(
        set(chosen_ones.ravel().tolist()) - set(truth.fault.tolist())
    )
    assert toy.asked

    def refuse():
        raise AssertionError("all is known")

    again = Outcomes(truth, tmp_path / "more.npz", refuse)
    np.testing.assert_allclose(again.drops(chosen_ones), expected)


def test_targets_have_names_of_their_own_and_sites():
    names = [target.name for target in TARGETS]
    assert len(set(names)) == len(names)
    for target in TARGETS:
        path = ROOT / "models" / f"{target.model}.onnx"
        if not path.exists():
            continue
        model = load(path)
        sites = enumerate_sites(model.index, model.inputs, model.outputs).sites
        assert select(target, sites), target.name


def test_images_of_scores_are_not_those_of_the_truth():
    assert TEST_IMAGES + CALIBRATION_IMAGES <= 1_000


def test_only_names_targets():
    assert [t.name for t in chosen("*readout")] == [
        "snn_snntorch_mnist-readout",
        "snn_spikingjelly_mnist-readout",
    ]
    with pytest.raises(ValueError, match="matches no target"):
        chosen("nothing*")


def test_no_rows_make_no_tables():
    assert markdown([]).strip() == ""
