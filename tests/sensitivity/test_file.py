"""Files of sensitivities: what is written comes back, and nothing else is taken for one."""

from __future__ import annotations

from dataclasses import fields, replace
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import pytest

from onnxfi.errors import ConfigError
from onnxfi.faults import BitFlip, FaultSite, FaultSpace
from onnxfi.sensitivity import Sensitivity, SensitivityScores, is_sensitivity


def _likely(scores: SensitivityScores, sites: tuple[FaultSite, ...]) -> dict[str, Any]:
    space = FaultSpace(sites, [BitFlip()])
    return {
        part.site.name: scores.of(part.site, part.columns, part.stop - part.start)
        for part in space.stretches(0, space.size)
    }


def test_all_of_it_comes_back_exactly(
    found: Sensitivity, sites: tuple[FaultSite, ...], tmp_path: Path
) -> None:
    path = tmp_path / "scores.npz"
    found.save(path)
    again = Sensitivity.load(path)
    for field in fields(found):
        if field.name != "scores":
            assert getattr(again, field.name) == getattr(found, field.name)
    assert again.scores.digest == found.scores.digest
    assert again.scores.drop == found.scores.drop
    assert list(again.scores.sites) == list(found.scores.sites)
    before, after = _likely(found.scores, sites), _likely(again.scores, sites)
    assert list(before) == list(after) == ["w", "b", "y", "z"]
    for name, likely in before.items():
        assert likely.any()
        assert (after[name] == likely).all()


def test_what_sites_share_is_written_and_read_once(found: Sensitivity, tmp_path: Path) -> None:
    found.save(tmp_path / "scores.npz")
    sites = Sensitivity.load(tmp_path / "scores.npz").scores.sites
    assert sites["w"].response is sites["b"].response
    assert sites["w"].response is not sites["y"].response
    # Each array once: two responses of which the doses and what is broken are alike, two gains
    # with ones in both, three arrays of words, one of bits.
    with np.load(tmp_path / "scores.npz") as file:
        contents = [(file[name].dtype, file[name].tobytes()) for name in file.files]
    assert len(set(contents)) == len(contents)


def test_equal_scores_give_equal_files_and_other_scores_another_digest(
    found: Sensitivity, tmp_path: Path
) -> None:
    sites = dict(reversed(found.scores.sites.items()))
    shuffled = replace(found, scores=SensitivityScores.of_sites(sites, drop=0.07))
    assert shuffled.scores.digest == found.scores.digest
    found.save(tmp_path / "a.npz")
    shuffled.save(tmp_path / "b.npz")
    with np.load(tmp_path / "a.npz") as a, np.load(tmp_path / "b.npz") as b:
        assert a.files == b.files
        assert all((a[name] == b[name]).all() for name in a.files)
    weight = found.scores.sites["w"]
    moved = {**sites, "w": replace(weight, words=weight.words ^ np.uint32(1))}
    for others in (
        SensitivityScores.of_sites(moved, drop=0.07),
        SensitivityScores.of_sites(sites, drop=0.08),
        SensitivityScores.of_sites({"w": weight}, drop=0.07),
    ):
        assert others.digest != found.scores.digest


def test_a_file_is_known_by_its_header(found: Sensitivity, tmp_path: Path) -> None:
    found.save(tmp_path / "scores.npz")
    np.savez(tmp_path / "arrays.npz", w=np.ones(3))
    (tmp_path / "text").write_text("no archive")
    assert is_sensitivity(tmp_path / "scores.npz")
    assert not is_sensitivity(tmp_path / "arrays.npz")
    assert not is_sensitivity(tmp_path / "text")
    with pytest.raises(ConfigError, match="there is no file of scores"):
        is_sensitivity(tmp_path / "none")
    with pytest.raises(ConfigError, match="holds no sensitivity"):
        Sensitivity.load(tmp_path / "arrays.npz")
    with pytest.raises(ConfigError, match="damaged"):
        Sensitivity.load(tmp_path / "text")
    with pytest.raises(ConfigError, match="there is no file of scores"):
        Sensitivity.load(tmp_path / "none")


@pytest.mark.parametrize("part", [0.3, 0.6, 0.95])
def test_a_file_cut_short_is_refused(found: Sensitivity, tmp_path: Path, part: float) -> None:
    path = tmp_path / "scores.npz"
    found.save(path)
    whole = path.read_bytes()
    path.write_bytes(whole[: int(len(whole) * part)])
    with pytest.raises(ConfigError, match="damaged"):
        Sensitivity.load(path)


def _rewritten(path: Path, change: Any) -> None:
    with np.load(path) as file:
        arrays = {name: file[name] for name in file.files}
    header = msgspec.json.decode(arrays["__onnxfi__"].tobytes())
    change(header, arrays)
    arrays["__onnxfi__"] = np.frombuffer(msgspec.json.encode(header), np.uint8)
    np.savez(path, **arrays)


def _other_number(_header: dict[str, Any], arrays: dict[str, Any]) -> None:
    arrays["array0"] = arrays["array0"] + arrays["array0"].dtype.type(1)


def _other_drop(header: dict[str, Any], _arrays: dict[str, Any]) -> None:
    header["drop"] = 0.5


def _array_gone(_header: dict[str, Any], arrays: dict[str, Any]) -> None:
    del arrays["array1"]


def _unknown_field(header: dict[str, Any], _arrays: dict[str, Any]) -> None:
    header["more"] = 1


def _unknown_type(header: dict[str, Any], _arrays: dict[str, Any]) -> None:
    header["parts"][0]["type"] = "Path"


def _wrong_type(header: dict[str, Any], _arrays: dict[str, Any]) -> None:
    part = next(part for part in header["parts"] if part["type"] == "Response")
    part["fields"]["doses"] = 3


def _no_scores(header: dict[str, Any], _arrays: dict[str, Any]) -> None:
    header["sites"]["w"] = next(
        place for place, part in enumerate(header["parts"]) if part["type"] == "Response"
    )


@pytest.mark.parametrize(
    "change",
    [
        _other_number,
        _other_drop,
        _array_gone,
        _unknown_field,
        _unknown_type,
        _wrong_type,
        _no_scores,
    ],
)
def test_a_file_that_was_changed_is_refused(
    found: Sensitivity, tmp_path: Path, change: Any
) -> None:
    path = tmp_path / "scores.npz"
    found.save(path)
    _rewritten(path, change)
    with pytest.raises(ConfigError, match="damaged, or of another version"):
        Sensitivity.load(path)


def test_a_newer_version_is_named(found: Sensitivity, tmp_path: Path) -> None:
    path = tmp_path / "scores.npz"
    found.save(path)
    _rewritten(path, lambda header, _: header.update(schema="onnxfi/scores/2", new=1))
    with pytest.raises(ConfigError, match="'onnxfi/scores/2', expected"):
        Sensitivity.load(path)


def test_options_that_make_no_sense_are_named(found: Sensitivity, tmp_path: Path) -> None:
    path = tmp_path / "scores.npz"
    found.save(path)
    _rewritten(path, lambda header, _: header["told"]["options"].update(tier=9))
    with pytest.raises(ConfigError, match="tier is 9"):
        Sensitivity.load(path)
