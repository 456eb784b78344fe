import stat
from pathlib import Path

import pytest

from onnxfi.errors import ModelError, UnsupportedModelError
from onnxfi.graph import inlined, load, save, serialize

TEXT = "agraph (float[2] x) => (float[2] y) <float[2] w = {1, 2}> { y = Add(x, w) }"


def test_a_saved_model_is_the_model(parse, tmp_path):
    model = load(parse(TEXT))
    path = tmp_path / "out.onnx"
    save(model, str(path))
    assert path.read_bytes() == serialize(model).data
    assert load(path).sha256
    assert [entry.name for entry in tmp_path.iterdir()] == ["out.onnx"]
    assert stat.S_IMODE(path.stat().st_mode) & 0o600 == 0o600


def test_an_existing_file_is_replaced_whole(parse, tmp_path):
    path = tmp_path / "out.onnx"
    path.write_bytes(b"x" * 100_000)
    save(load(parse(TEXT)), path)
    assert load(path).outputs[0].name == "y"


def test_a_failed_write_leaves_nothing_behind(parse, tmp_path, monkeypatch):
    path = tmp_path / "out.onnx"
    path.write_bytes(b"precious")

    def broken(self, target):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(Path, "replace", broken)
    with pytest.raises(ModelError, match="No space left"):
        save(load(parse(TEXT)), path)
    assert path.read_bytes() == b"precious"
    assert [entry.name for entry in tmp_path.iterdir()] == ["out.onnx"]


def test_a_missing_folder_is_named(parse, tmp_path):
    with pytest.raises(ModelError, match="can't write model file"):
        save(load(parse(TEXT)), tmp_path / "nowhere" / "out.onnx")


def test_what_protobuf_can_not_hold_is_refused(parse, external, bounds):
    bounds(file_bytes=60)
    with pytest.raises(UnsupportedModelError, match="2 GiB"):
        serialize(load(parse(TEXT)))
    path = external()
    bounds(file_bytes=path.stat().st_size + 10)
    with pytest.raises(UnsupportedModelError, match="with its external data"):
        inlined(load(path))
