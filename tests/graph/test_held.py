"""Models that one file can't hold: new data beside the message, and in a file of its own."""

import shutil
from pathlib import Path

import numpy as np
import pytest

from onnxfi.errors import ModelError, RewriteError, UnsupportedModelError
from onnxfi.graph import (
    data_file,
    embedded,
    initializer_words,
    load,
    replace_initializers,
    save,
    serialize,
    verify_untouched,
)

COUNT = 500
FEEDS = {"x": np.zeros(COUNT, np.float32)}
VALUES = np.arange(COUNT, dtype=np.float32)
NEW = VALUES[::-1].copy()


@pytest.fixture(autouse=True)
def everything_is_large(bounds):
    bounds(held_bytes=0, mapped_bytes=1)


@pytest.fixture
def stored(tmp_path, parse):
    """Write a model that adds up some tensors in an external file."""

    def write(location="w.bin", names="w", offset=0):
        values = [f"float[{COUNT}] {name} = {{0}}" for name in names]
        sums = "".join(f"s{name} = Sum(x, {name}) " for name in names)
        parts = ", ".join(f"s{name}" for name in names)
        proto = parse(
            f"agraph (float[{COUNT}] x) => (float[{COUNT}] y) <{', '.join(values)}>"
            f" {{ {sums} y = Sum({parts}) }}"
        )
        folder = tmp_path / "model"
        folder.mkdir()
        with (folder / location).open("wb") as file:
            file.write(b"?" * offset)
            for tensor in proto.graph.initializer:
                tensor.ClearField("float_data")
                tensor.data_location = tensor.EXTERNAL
                where = {"location": location, "offset": file.tell(), "length": VALUES.nbytes}
                for key, value in where.items():
                    tensor.external_data.add(key=key, value=str(value))
                file.write(VALUES.tobytes())
        (folder / "m.onnx").write_bytes(proto.SerializeToString())
        return folder / "m.onnx"

    return write


@pytest.fixture
def path(stored):
    return stored()


@pytest.fixture
def small_files(bounds):
    """The message alone fits one file, with the data it does not."""
    bounds(file_bytes=1_000)


def replaced(path):
    return replace_initializers(load(path), {"w": NEW.view(np.uint32)})


def test_mapped_data_is_changed_in_memory_only(stored):
    path = stored(offset=3)
    before = (path.parent / "w.bin").read_bytes()
    model = load(path)
    words = initializer_words(model, "w")
    np.testing.assert_array_equal(words, VALUES.view(np.uint32))
    words[:] = 0
    np.testing.assert_array_equal(initializer_words(model, "w"), VALUES.view(np.uint32))
    assert (path.parent / "w.bin").read_bytes() == before


def test_new_data_lies_beside_the_message(path):
    original, model = load(path), replaced(path)
    verify_untouched(original, model)
    written = serialize(model)
    np.testing.assert_array_equal(written.held["w"], NEW)
    assert not serialize(original).held
    words = initializer_words(model, "w")
    words[:] = 0
    np.testing.assert_array_equal(initializer_words(model, "w"), NEW.view(np.uint32))
    again = replace_initializers(model, {"w": VALUES.view(np.uint32)})
    np.testing.assert_array_equal(serialize(again).held["w"], VALUES)


def test_words_that_do_not_fit_are_refused(path):
    with pytest.raises(ModelError, match="takes 500 words of uint32, got 3 of uint32"):
        replace_initializers(load(path), {"w": np.zeros(3, np.uint32)})


def test_embedded_is_a_message_of_its_own(path, run, bounds):
    model = replaced(path)
    whole = embedded(model)
    assert not serialize(whole).held
    np.testing.assert_array_equal(run(whole, FEEDS)[0], NEW)
    assert embedded(whole) is whole
    bounds(file_bytes=60)
    with pytest.raises(UnsupportedModelError, match="one file holds less than 2 GiB"):
        embedded(model)


def test_what_is_not_touched_stays_where_it_is_in_the_folder(path, run):
    target = path.parent / "same.onnx"
    save(load(path), target, beside=True)
    assert target.stat().st_size < 1_000
    np.testing.assert_array_equal(run(load(target), FEEDS)[0], VALUES)
    save(replaced(path), target, beside=True)
    assert data_file(replaced(path), target, beside=True) is None, "one file holds what was touched"
    shutil.move(target, path.parent.parent / "alone.onnx")
    np.testing.assert_array_equal(run(path.parent.parent / "alone.onnx", FEEDS)[0], NEW)


@pytest.mark.parametrize("elsewhere", [False, True])
@pytest.mark.parametrize("touched", [False, True])
def test_more_than_one_file_holds(path, run, small_files, elsewhere, touched):
    folder = path.parent / "sub" if elsewhere else path.parent
    folder.mkdir(exist_ok=True)
    model = replaced(path) if touched else load(path)
    target = folder / "out.onnx"
    save(model, target, beside=True)
    moved = touched or elsewhere
    assert data_file(model, target, beside=True) == (folder / "out.onnx.data" if moved else None)
    assert (folder / "out.onnx.data").exists() is moved
    # As other runtimes load it: by its path.
    np.testing.assert_array_equal(run(target, FEEDS)[0], NEW if touched else VALUES)
    np.testing.assert_array_equal(np.fromfile(path.parent / "w.bin", np.float32), VALUES)


def test_each_tensor_begins_on_a_page(stored, tmp_path, run, small_files, bounds):
    model = load(stored(names="ab"))
    bounds(write_chunk=300)
    target = tmp_path / "o.onnx"
    save(replace_initializers(model, {"b": NEW.view(np.uint32)}), target)
    assert (tmp_path / "o.onnx.data").stat().st_size == 4096 + VALUES.nbytes
    np.testing.assert_array_equal(run(target, FEEDS)[0], VALUES + NEW)


def test_data_of_the_model_is_never_written_over(stored, small_files):
    path = stored(location="out.onnx.data")
    model = replace_initializers(load(path), {"w": NEW.view(np.uint32)})
    with pytest.raises(RewriteError, match="external data"):
        save(model, path.parent / "out.onnx")


def test_a_failed_write_leaves_neither_file(path, small_files, monkeypatch):
    def broken(self, target):
        raise OSError(28, "No space left on device")

    before = sorted(path.parent.iterdir())
    monkeypatch.setattr(Path, "replace", broken)
    with pytest.raises(ModelError, match="No space left"):
        save(replaced(path), path.parent / "out.onnx")
    assert sorted(path.parent.iterdir()) == before
