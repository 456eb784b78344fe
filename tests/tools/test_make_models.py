"""The zoo without training: small pictures, what is promised of files, cards of another folder."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper
from zoo.data import FASHION, MNIST
from zoo.errors import ZooError
from zoo.networks import NETWORKS, network_of
from zoo.promises import check_promises
from zoo.small import DIGITS, FASHION14

ROOT = Path(__file__).resolve().parents[2]
MODELS = ROOT / "models"
TOOL = ROOT / "tools" / "make_models.py"


def _run(*arguments: object) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, str(TOOL), *map(str, arguments)]
    environment = os.environ | {"PYTHONDONTWRITEBYTECODE": "1"}
    return subprocess.run(command, capture_output=True, text=True, check=False, env=environment)


def _write_idx(path: Path, array: np.ndarray) -> None:
    sizes = np.array(array.shape, ">u4").tobytes()
    path.write_bytes(bytes([0, 0, 8, array.ndim]) + sizes + array.astype(np.uint8).tobytes())


def _flat(size: int) -> onnx.ModelProto:
    """A model whose logits are the first ten pixels of a picture of `size` x `size`."""
    pixels = np.eye(size * size, 10, dtype=np.float32)
    graph = helper.make_graph(
        [
            helper.make_node("Flatten", ["image"], ["flat"], name="flatten"),
            helper.make_node("MatMul", ["flat", "head.weight"], ["logits"], name="head"),
        ],
        "flat",
        [helper.make_tensor_value_info("image", TensorProto.FLOAT, ["batch", 1, size, size])],
        [helper.make_tensor_value_info("logits", TensorProto.FLOAT, ["batch", 10])],
        [onnx.numpy_helper.from_array(pixels, "head.weight")],
    )
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)


def test_every_fourth_digit_is_tested_and_none_is_in_both_splits(tmp_path):
    table = np.random.default_rng(1).integers(0, 17, (11, 65))
    table[:, -1] = range(11)  # so that a label tells the line
    np.savetxt(tmp_path / "digits.csv", table, fmt="%d", delimiter=",")
    train, test = DIGITS.read(tmp_path)
    assert test.label.tolist() == [3, 7]
    assert train.label.tolist() == [0, 1, 2, 4, 5, 6, 8, 9, 10]
    assert (test.image.dtype, test.image.shape) == (np.float32, (2, 1, 8, 8))
    assert (test.image[1, 0].ravel() * 16).tolist() == table[7, :-1].tolist()
    assert (train.image[3, 0].ravel() * 16).tolist() == table[4, :-1].tolist()


def test_halved_pictures_are_the_means_of_two_by_two_pixels(tmp_path):
    drawn = np.random.default_rng(2)
    for part, count in (("train", 3), ("t10k", 2)):
        pixels = drawn.integers(0, 256, (count, 28, 28))
        _write_idx(tmp_path / f"{part}-images-idx3-ubyte", pixels)
        _write_idx(tmp_path / f"{part}-labels-idx1-ubyte", np.arange(count))
    train, test = FASHION14.read(tmp_path)
    assert (train.image.shape, test.image.shape) == ((3, 1, 14, 14), (2, 1, 14, 14))
    means = pixels.reshape(2, 14, 2, 14, 2).mean(axis=(2, 4)) / 255
    np.testing.assert_allclose(test.image[:, 0], means, rtol=1e-6)
    assert test.image.dtype == np.float32
    assert test.label.tolist() == [0, 1]


def test_the_small_fashion_shares_the_files_of_the_large_one():
    assert (FASHION14.folder, FASHION14.digests) == (FASHION.name, FASHION.digests)


def test_data_files_are_named_after_what_is_in_them():
    files = [each.test_file for each in (MNIST, FASHION, FASHION14, DIGITS)]
    expected = ["mnist_test1000.npz", "fashion_test1000.npz", "fashion14_test1000.npz"]
    assert files == [*expected, "digits_test.npz"]


@pytest.mark.parametrize("stem", ["resnet20_fashion_bn_fp32", "resnet8_fashion_int4"])
def test_a_file_belongs_to_the_network_that_its_name_begins_with(stem):
    assert network_of(stem) == stem.split("_")[0] + "_fashion"


def _card(**changed: object) -> dict[str, object]:
    card = json.loads((MODELS / "cards.json").read_text())["models"]["lenet5_mnist_int8_qdq.onnx"]
    return card | changed


def test_promises_hold_of_a_committed_model():
    check_promises(MODELS, {"models": {"lenet5_mnist_int8_qdq.onnx": _card()}})


def test_a_model_that_was_trained_badly_is_refused():
    least = NETWORKS["lenet5_mnist"].least
    cards = {"models": {"lenet5_mnist_int8_qdq.onnx": _card(accuracy=least - 0.001)}}
    with pytest.raises(ZooError, match=r"int8_qdq.onnx has an accuracy of 96.9%, less than 97.0%"):
        check_promises(MODELS, cards)


def test_convolutions_in_float_are_refused(tmp_path):
    name = "lenet5_mnist_int8_qdq.onnx"
    shutil.copyfile(MODELS / "lenet5_mnist_fp32.onnx", tmp_path / name)
    with pytest.raises(ZooError, match="has 2 convolutions, 0 of them in integers"):
        check_promises(tmp_path, {"models": {name: _card()}})


def _evaluation_folder(folder: Path, right: int) -> Path:
    """A digits model and 120 pictures, `right` of which it gets right."""
    labels = np.arange(120) % 10
    image = np.zeros((120, 1, 8, 8), np.float32)
    shown = np.where(np.arange(120) < right, labels, (labels + 1) % 10)
    image.reshape(120, 64)[np.arange(120), shown] = 1
    np.savez_compressed(folder / "digits_test.npz", image=image, labels=labels)
    onnx.save_model(_flat(8), folder / "digits_cnn_fp32.onnx")
    return folder


def test_cards_of_the_evaluation_folder_are_measured_on_all_its_pictures(tmp_path):
    done = _run("--cards", "--evaluation", _evaluation_folder(tmp_path, right=118))
    assert (done.returncode, done.stderr) == (0, "")
    cards = json.loads((tmp_path / "cards.json").read_text())
    card = cards["models"]["digits_cnn_fp32.onnx"]
    assert (card["samples"], card["correct"], card["parameters"]) == (120, 118, 640)
    assert card["accuracy"] == 118 / 120
    data = cards["data"]["digits_test.npz"]
    assert data["what"] == "all test images of the 8 x 8 digits of scikit-learn"
    assert data["arrays"]["image"] == ["float32", 120, 1, 8, 8]
    assert not (tmp_path / "README.md").exists()


def test_the_tool_fails_if_a_model_is_worse_than_promised(tmp_path):
    done = _run("--cards", "--evaluation", _evaluation_folder(tmp_path, right=60))
    assert done.returncode == 1
    assert done.stderr == (
        "error: digits_cnn_fp32.onnx has an accuracy of 50.0%, less than 97.0%\n"
    )


def test_one_folder_at_a_time(tmp_path):
    done = _run("--out", tmp_path, "--evaluation", tmp_path)
    assert done.returncode == 2
    assert "not allowed with argument" in done.stderr
