"""The networks on which samplers are evaluated, as they are exported; only where torch is."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from pathlib import Path

import numpy as np
import onnx
import onnxruntime as ort
import pytest

torch = pytest.importorskip("torch")

from zoo.build import Folders, build  # noqa: E402
from zoo.cnn import fold_batchnorm  # noqa: E402
from zoo.data import Dataset, Split  # noqa: E402
from zoo.errors import ZooError  # noqa: E402
from zoo.evaluation import EVALUATION  # noqa: E402
from zoo.export import exported  # noqa: E402
from zoo.networks import NETWORKS  # noqa: E402
from zoo.train import Schedule  # noqa: E402

SIDES = {"digits": 8, "fashion14": 14}
SIZES = {
    "digits_cnn": (48_816, 7, {"Conv": 9, "Gemm": 2, "Relu": 8}),
    "resnet20_fashion": (270_608, 19, {"Conv": 21, "Gemm": 1, "Relu": 19}),
    "mobilenet_fashion": (65_936, 23, {"Conv": 23, "Gemm": 1, "Clip": 16}),
}
"""Weights, BatchNorms before they are folded, and the nodes that stay."""


def _made(recipe):
    """The network with BatchNorms that differ from their first state, and a batch of pictures."""
    torch.manual_seed(5)
    network = recipe.build()
    side = SIDES[recipe.dataset.name]
    image = torch.rand(6, 1, side, side)
    network.train()
    with torch.no_grad():
        network(image)
    return network.eval(), image


def _answer(model, image):
    session = ort.InferenceSession(model.SerializeToString(), providers=["CPUExecutionProvider"])
    return session.run(["logits"], {"image": image.numpy()})[0]


def _tiny(dataset: Dataset) -> Dataset:
    """The data set with random pictures, 320 to train on, and nothing to fetch."""
    side = SIDES[dataset.name]

    def read(folder: Path) -> tuple[Split, Split]:
        drawn = np.random.default_rng(3)
        image = drawn.random((384, 1, side, side), np.float32)
        label = drawn.integers(0, 10, 384)
        return Split(image[:320], label[:320]), Split(image[320:], label[320:])

    return replace(dataset, read=read, digests={})


@pytest.mark.parametrize("recipe", EVALUATION, ids=lambda recipe: recipe.name)
def test_the_exported_networks_have_their_size_and_answer_as_torch_does(recipe):
    network, image = _made(recipe)
    with torch.no_grad():
        expected = network(image).numpy()
    weights, norms, nodes = SIZES[recipe.name]
    folded, unfolded = (
        exported(fold_batchnorm(network), image.shape[1:]),
        exported(network, image.shape[1:]),
    )
    for model, left in ((folded, 0), (unfolded, norms)):
        found = Counter(node.op_type for node in model.graph.node)
        assert found["BatchNormalization"] == left
        assert {name: found[name] for name in nodes} == nodes
        np.testing.assert_allclose(_answer(model, image), expected, rtol=1e-3, atol=1e-4)
    kept = [item for item in folded.graph.initializer if item.name.endswith(".weight")]
    assert sum(int(np.prod(item.dims)) for item in kept) == weights


def test_every_network_is_described():
    for recipe in EVALUATION:
        assert NETWORKS[recipe.name].dataset == recipe.dataset


def test_files_are_made_of_a_recipe_again_byte_for_byte(tmp_path):
    resnet = EVALUATION[1]
    short = Schedule(epochs=1, rate=1e-3, batch=64, samples=320)
    recipe = replace(resnet, dataset=_tiny(resnet.dataset), schedule=short)
    written = []
    for name in ("first", "second"):
        cache, out = tmp_path / f"{name}-cache", tmp_path / name
        cache.mkdir()
        out.mkdir()
        build([recipe], None, Folders(cache, out))
        written.append({path.name: path.read_bytes() for path in out.iterdir()})
    assert written[0] == written[1]
    stems = {f"resnet20_fashion_{kind}.onnx" for kind in ("fp32", "fp16", "int8_qdq", "bn_fp32")}
    assert set(written[0]) == stems | {"fashion14_test1000.npz"}
    norms = onnx.load_model(tmp_path / "first" / "resnet20_fashion_bn_fp32.onnx").graph.node
    assert sum(node.op_type == "BatchNormalization" for node in norms) == 19


def test_an_unknown_name_lists_the_known_ones(tmp_path):
    with pytest.raises(ZooError, match="nothing is called 'vgg'; known: digits_cnn, "):
        build(EVALUATION, "vgg", Folders(tmp_path, tmp_path))
