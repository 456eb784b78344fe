import hashlib
import os
import shutil

import numpy as np
import pytest

from onnxfi.errors import ModelError, RewriteError, UnsupportedModelError
from onnxfi.graph import (
    initializer_words,
    inlined,
    lift_initializers,
    load,
    replace_initializers,
    save,
    serialize,
    verify_untouched,
)

FEEDS = {"x": np.zeros(4, np.float32)}
VALUES = np.arange(4, dtype=np.float32)


def test_data_in_the_folder_is_read(external, run):
    path = external()
    model = load(path)
    np.testing.assert_array_equal(initializer_words(model, "w"), VALUES.view(np.uint32))
    assert serialize(model).folder == path.parent
    np.testing.assert_array_equal(run(model, FEEDS)[0], VALUES)


def test_brought_in(external, run):
    path = external()
    model = load(path)
    whole = inlined(model)
    (path.parent / "w.bin").unlink()
    np.testing.assert_array_equal(run(whole, FEEDS)[0], VALUES)
    written = serialize(whole)
    assert written.folder is None
    assert written.outside == 0
    assert inlined(whole) is whole
    assert serialize(model).folder == path.parent, "the original is what it was"


def test_offset_and_missing_length(external):
    path = external(offset=4, length=None)
    (path.parent / "w.bin").write_bytes(b"skip" + VALUES.tobytes() + b"rest")
    words = initializer_words(load(path), "w")
    np.testing.assert_array_equal(words, VALUES.view(np.uint32))


def test_the_checksum_covers_the_data(external):
    path = external()
    first = load(path).sha256
    assert first != hashlib.sha256(path.read_bytes()).hexdigest()
    (path.parent / "w.bin").write_bytes(b"\1" + VALUES.tobytes()[1:])
    assert load(path).sha256 != first


def test_folder_is_known_for_a_relative_path(external, monkeypatch):
    path = external()
    monkeypatch.chdir(path.parent)
    model = load("m.onnx")
    monkeypatch.chdir(path.parent.parent)
    np.testing.assert_array_equal(initializer_words(model, "w"), VALUES.view(np.uint32))


@pytest.mark.parametrize(
    "location", ["../w.bin", "sub/../w.bin", "/etc/passwd", "", "C:\\w.bin", "..\\w.bin", "\\w.bin"]
)
def test_paths_out_of_the_folder_are_refused(external, location):
    with pytest.raises(ModelError, match="not a path inside the model's folder"):
        load(external(location, make=False))


@pytest.mark.parametrize(
    ("entries", "message"),
    [
        ({"length": 32}, "has 32 bytes, its shape"),
        ({"offset": 4}, "ends at byte 20, the file 'w.bin' has 16 bytes"),
        ({"offset": -4}, "not a number of bytes"),
        ({"offset": "9" * 5000}, "not a number of bytes"),
        ({"offset": 2**63}, "ends at byte"),
        ({"__class__": "x"}, "unknown keys"),
    ],
)
def test_references_that_make_no_sense_are_refused(external, entries, message):
    with pytest.raises(ModelError, match=message):
        load(external(**entries))


def test_missing_file_and_folder(external):
    with pytest.raises(ModelError, match="is missing"):
        load(external(make=False))
    path = external("sub", make=False)
    (path.parent / "sub").mkdir()
    with pytest.raises(ModelError, match="not a regular file"):
        load(path)


def test_links_out_of_the_folder_are_refused(external, tmp_path):
    path = external()
    shutil.move(path.parent / "w.bin", tmp_path / "w.bin")
    (path.parent / "w.bin").symlink_to(tmp_path / "w.bin")
    with pytest.raises(ModelError, match="Hugging Face"):
        load(path)
    (path.parent / "w.bin").unlink()
    os.link(tmp_path / "w.bin", path.parent / "w.bin")
    with pytest.raises(ModelError, match="several hard links"):
        load(path)


def test_a_link_inside_the_folder_is_fine(external, run):
    path = external()
    (path.parent / "w.bin").rename(path.parent / "data.bin")
    (path.parent / "w.bin").symlink_to("data.bin")
    np.testing.assert_array_equal(run(load(path), FEEDS)[0], VALUES)


def test_a_pipe_does_not_block(external):
    path = external(make=False)
    os.mkfifo(path.parent / "w.bin")
    with pytest.raises(ModelError, match="not a regular file"):
        load(path)


@pytest.mark.parametrize("text", [b"location", b"length", b"w.bin"])
def test_references_that_are_no_text_are_refused(external, text):
    path = external()
    path.write_bytes(path.read_bytes().replace(text, text[:-1] + b"\xff"))
    with pytest.raises(ModelError, match=r"damaged: external data of tensor 'w' .* not UTF-8"):
        load(path)


def test_without_a_path_there_is_no_folder(external):
    with pytest.raises(ModelError, match="by its path"):
        load(external().read_bytes())


def test_replacing_and_lifting_leave_the_file_alone(external, run):
    path = external()
    model = load(path)
    replaced = replace_initializers(model, {"w": np.zeros(4, np.uint32)})
    verify_untouched(model, replaced)
    assert serialize(replaced).folder is None
    np.testing.assert_array_equal(run(replaced, FEEDS)[0], np.zeros(4))
    lifted = lift_initializers(model, ["w"])
    verify_untouched(model, lifted)
    np.testing.assert_array_equal(run(lifted, {**FEEDS, "w": VALUES})[0], VALUES)
    np.testing.assert_array_equal(np.fromfile(path.parent / "w.bin", np.float32), VALUES)


def test_saving_brings_the_data_in(external, tmp_path, run):
    path = external()
    target = tmp_path / "whole.onnx"
    save(load(path), target)
    shutil.rmtree(path.parent)
    np.testing.assert_array_equal(run(target, FEEDS)[0], VALUES)


def test_saving_over_the_models_own_data_is_refused(external):
    path = external()
    with pytest.raises(RewriteError, match="external data"):
        save(load(path), path.parent / "w.bin")
    np.testing.assert_array_equal(np.fromfile(path.parent / "w.bin", np.float32), VALUES)


def test_saving_over_the_data_is_refused_even_if_it_is_not_needed_any_more(external):
    path = external()
    replaced = replace_initializers(load(path), {"w": np.zeros(4, np.uint32)})
    with pytest.raises(RewriteError, match="external data"):
        save(replaced, path.parent / "w.bin")


def test_prepacked_weights_are_refused(external):
    with pytest.raises(UnsupportedModelError, match="prepacked"):
        load(external(prepacked_0="a|0|16"))


def test_another_folder_is_noticed(external, tmp_path):
    path = external()
    other = tmp_path / "other"
    shutil.copytree(path.parent, other)
    with pytest.raises(RewriteError, match="folder of external data"):
        verify_untouched(load(path), load(other / path.name))


def test_data_that_shrinks_after_loading_is_noticed(external):
    path = external()
    model = load(path)
    (path.parent / "w.bin").write_bytes(b"1234")
    with pytest.raises(ModelError, match="has 4 bytes"):
        initializer_words(model, "w")
