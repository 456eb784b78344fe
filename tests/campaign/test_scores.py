"""Samplers by a file of scores: what such files must be for the model and the chosen sites."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from onnxfi.campaign import (
    CustomParts,
    Measured,
    OpenCampaign,
    load_subject,
    measure_sensitivity,
    sampler_of,
)
from onnxfi.campaign import _sensitivity as module
from onnxfi.engine import EngineContext
from onnxfi.errors import ConfigError, GoldenError
from onnxfi.faults import FaultSite, FaultSpace
from onnxfi.sampling import ImportanceSampler, TopSampler
from onnxfi.sensitivity import Sensitivity, SensitivityScores
from onnxfi.settings import CampaignSettings, SensitivityOptions

Settings = Callable[..., CampaignSettings]
RULES = SensitivityOptions(tier=0, samples=16)


def _measured(settings: CampaignSettings, options: SensitivityOptions = RULES) -> Measured:
    return measure_sensitivity(settings, CustomParts(), load_subject(settings), options)


@pytest.fixture(scope="module")
def measured(images: Path) -> Measured:
    """The sensitivity of the weights of LeNet-5, by rules."""
    settings = CampaignSettings(model="models/lenet5_mnist_fp32.onnx", inputs=str(images))
    return _measured(settings)


def _sampler(measured: Measured, path: Path, space: FaultSpace | None = None, **more: object):
    recipe = {"kind": "importance", "n": 50, "scores": str(path), **more}
    model = measured.sensitivity.model_sha256
    return sampler_of(recipe, space or measured.space, model, None)


def test_first_samples_of_the_inputs_are_calibrated_on(measured: Measured, images: Path) -> None:
    with np.load(images) as file:
        first = {name: file[name][:16] for name in file.files}
        other = {name: file[name][16:32] for name in file.files}
    assert measured.samples == 60
    assert measured.sensitivity.options is RULES
    hashes = []
    for arrays in (first, other):
        path = images.with_name("part.npz")
        np.savez(path, **arrays)
        settings = CampaignSettings(model="models/lenet5_mnist_fp32.onnx", inputs=str(path))
        hashes.append(_measured(settings).sensitivity)
    assert hashes[0].inputs_sha256 == measured.sensitivity.inputs_sha256
    assert hashes[0].scores.digest == measured.sensitivity.scores.digest
    assert hashes[1].inputs_sha256 != measured.sensitivity.inputs_sha256
    assert hashes[1].scores.digest != measured.sensitivity.scores.digest


def test_a_file_draws_what_its_scores_draw(measured: Measured, tmp_path: Path) -> None:
    path = tmp_path / "scores.npz"
    measured.sensitivity.save(path)
    for kind in (ImportanceSampler, TopSampler):
        direct = kind(n=50, scores=measured.sensitivity.scores)
        drawn = _sampler(measured, path, kind=direct.name)
        assert drawn.recipe() == direct.recipe()
        one, other = (s.fault_numbers(measured.space, 0, 50) for s in (direct, drawn))
        assert (one == other).all()


def test_a_campaign_is_made_of_such_a_file(
    measured: Measured, create: Callable[..., OpenCampaign], tmp_path: Path
) -> None:
    path = tmp_path / "scores.npz"
    measured.sensitivity.save(path)
    made = create(
        model="models/lenet5_mnist_fp32.onnx",
        targets=("weight",),
        sampler={"kind": "top", "n": 20, "scores": str(path)},
    )
    bits = {
        mask for k in range(20) for mask in made.experiment().source.scenario(k).groups[0].xor_mask
    }
    assert bits == {1 << 30}


def test_scores_of_another_model_are_refused(
    measured: Measured, settings: Settings, tmp_path: Path
) -> None:
    path = tmp_path / "scores.npz"
    replace(measured.sensitivity, model_sha256="f" * 64).save(path)
    with pytest.raises(ConfigError, match=r"'.*scores.npz' don't fit: the scores are of another"):
        _sampler(measured, path)
    replace(measured.sensitivity, graph_sha256="e" * 64).save(path)
    with pytest.raises(ConfigError, match=r"are of a deployed graph .*file"):
        _sampler(measured, path)


def test_a_site_that_was_not_measured_is_named(measured: Measured, tmp_path: Path) -> None:
    path = tmp_path / "scores.npz"
    found = measured.sensitivity
    kept = dict(found.scores.sites)
    del kept["fc2.weight"]
    replace(found, scores=SensitivityScores.of_sites(kept, drop=0.05)).save(path)
    with pytest.raises(ConfigError, match=r"lack site 'fc2.weight' \(1 of 5 chosen sites"):
        _sampler(measured, path)
    less = [site for site in measured.space.sites if site.name != "fc2.weight"]
    assert _sampler(measured, path, FaultSpace(less, measured.space.models)).n == 50


def test_a_tensor_of_another_size_is_refused(measured: Measured, tmp_path: Path) -> None:
    path = tmp_path / "scores.npz"
    found = measured.sensitivity
    held = found.scores.sites["fc3.weight"]
    changed = {**found.scores.sites, "fc3.weight": replace(held, words=held.words[:-1])}
    replace(found, scores=SensitivityScores.of_sites(changed, drop=0.05)).save(path)
    with pytest.raises(ConfigError, match="of 839 elements, here it has 840"):
        _sampler(measured, path)


def test_a_damaged_file_is_refused(measured: Measured, tmp_path: Path) -> None:
    path = tmp_path / "scores.npz"
    measured.sensitivity.save(path)
    path.write_bytes(path.read_bytes()[:-200])
    with pytest.raises(ConfigError, match=r"can.t be read as \.npz"):
        _sampler(measured, path)


def test_samples_of_which_none_is_answered_right_are_refused(images: Path, tmp_path: Path) -> None:
    with np.load(images) as file:
        np.savez(tmp_path / "wrong.npz", image=file["image"], labels=(file["labels"] + 1) % 10)
    settings = CampaignSettings(
        model="models/lenet5_mnist_fp32.onnx", inputs=str(tmp_path / "wrong.npz")
    )
    with pytest.raises(GoldenError, match="answers none of the 4 labelled samples"):
        _measured(settings, SensitivityOptions(tier=0, samples=4))


def test_sites_that_can_not_be_measured_are_named(
    images: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = module.measure

    def some(context: EngineContext, sites: Sequence[FaultSite], *more: Any) -> Sensitivity:
        found = real(context, sites, *more)
        kept = {name: found.scores.sites[name] for name in left}
        return replace(found, scores=SensitivityScores.of_sites(kept, drop=0.05))

    monkeypatch.setattr(module, "measure", some)
    settings = CampaignSettings(model="models/lenet5_mnist_fp32.onnx", inputs=str(images))
    left = ["conv1.weight", "fc3.weight"]
    found = _measured(settings)
    assert [site.name for site in found.space.sites] == left
    assert "3 of 5 chosen sites could not be measured" in found.sensitivity.notes[-1]
    assert "conv2.weight, fc1.weight, fc2.weight" in found.sensitivity.notes[-1]
    left = []
    with pytest.raises(ConfigError, match="none of the 5 chosen sites can be measured"):
        _measured(settings)
