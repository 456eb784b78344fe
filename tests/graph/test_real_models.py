"""Models as people ship them: from packages (optional) and from onnx's own test data."""

import importlib.metadata
from pathlib import Path

import numpy as np
import onnx
import pytest

from onnxfi.bits import ElementType, from_words
from onnxfi.engine import complete_types
from onnxfi.errors import UnsupportedModelError
from onnxfi.graph import (
    endpoints,
    expose,
    initializer_words,
    lift_initializers,
    load,
    operators,
    raise_opset,
    serialize,
    verify_untouched,
)

PACKAGED = {
    "magika": ["models/standard_v3_3/model.onnx"],
    "silero-vad": [
        "data/silero_vad.onnx",
        "data/silero_vad_16k_op15.onnx",
        "data/silero_vad_16k_sequence.onnx",
        "data/silero_vad_half.onnx",
        "data/silero_vad_op18_ifless.onnx",
        "data/silero_vad_openvino_16k.onnx",
    ],
    "rapidocr-onnxruntime": [
        "ch_ppocr_mobile_v2.0_cls_infer.onnx",
        "ch_PP-OCRv4_det_infer.onnx",
        "ch_PP-OCRv4_rec_infer.onnx",
    ],
    "basic-pitch": ["icassp_2022/nmp.onnx"],
    "swift-f0": ["swift_f0/model.onnx"],
}
FILES = [(package, name) for package, names in PACKAGED.items() for name in names]
# What a declared shape does not tell, by input name.
SHAPES = {"state": [2, 1, 128], "audio": [1, 8000], "h": [1, 1, 128], "c": [1, 1, 128]}
LIGHT = Path(onnx.__file__).parent / "backend" / "test" / "data" / "light"


def packaged(package: str, ending: str) -> Path:
    """Path of a packaged model; the package itself is never imported."""
    try:
        files = importlib.metadata.files(package) or []
    except importlib.metadata.PackageNotFoundError:
        pytest.skip(f"package {package} is not installed")
    for file in files:
        if str(file).endswith(ending):
            return Path(str(file.locate()))
    pytest.skip(f"this version of {package} has no {ending}")


def random_feeds(model):
    rng = np.random.default_rng(0)
    feeds = {}
    for spec in model.inputs:
        if spec.name == "sr":
            feeds["sr"] = np.array(16000, np.int64)
            continue
        shape = SHAPES.get(spec.name) or [
            dim if isinstance(dim, int) and dim > 0 else (1, 512, 48, 64)[axis]
            for axis, dim in enumerate(spec.shape)
        ]
        if "16k_sequence" in model.source and spec.name == "input":
            shape = [3, 576]
        if "PP-OCR" in model.source:
            shape = [1, 3, 64, 64]
        dtype = spec.element.value
        values = rng.standard_normal(shape) if "float" in dtype else rng.integers(0, 200, shape)
        feeds[spec.name] = values.astype(dtype)
    return feeds


def insertable(model):
    """Values of known type that can take a node group."""
    computed = [v for node in model.index.nodes if not node.scope for v in node.outputs if v]
    values = [*(spec.name for spec in model.inputs), *computed]
    return [value for value in values if model.index.element_of(value) is not None]


@pytest.mark.parametrize(("package", "name"), FILES)
def test_packaged_models_run_as_before_after_every_edit(package, name, run, same, identities):
    path = packaged(package, name)
    model = load(path)
    feeds = random_feeds(model)
    golden = run(path, feeds)
    assert same(run(model, feeds), golden)
    values = insertable(model)
    edited = identities(expose(model, values[-3:]), values)
    verify_untouched(model, edited)
    outputs = [spec.name for spec in model.outputs]
    assert same(run(edited, feeds, outputs), golden)
    floats = [
        entry.name
        for entry in model.index.initializers.values()
        if entry.element is ElementType.FLOAT
    ]
    lifted = lift_initializers(model, floats)
    verify_untouched(model, lifted)
    assert len(lifted.inputs) == len(model.inputs) + len(floats)


@pytest.mark.parametrize(("package", "name"), FILES)
def test_packaged_models_can_be_raised(package, name, run):
    model = load(packaged(package, name))
    raised = raise_opset(model, 26)
    verify_untouched(model, raised)
    feeds = random_feeds(model)
    for ours, theirs in zip(run(raised, feeds), run(model, feeds), strict=True):
        np.testing.assert_allclose(ours, theirs, atol=2e-6)


def test_lifted_weights_of_nested_ifs_are_used(run, same):
    """All weights of this model are Constants inside Ifs inside Ifs."""
    model = load(packaged("silero-vad", "data/silero_vad.onnx"))
    assert operators(model)["If"] == 25
    assert "Constant" not in operators(model)
    assert len(model.index.initializers) == 341
    nested = [
        entry
        for entry in model.index.initializers.values()
        if entry.scope.count("/") > 1 and entry.element is ElementType.FLOAT
    ]
    lifted = lift_initializers(model, [entry.name for entry in nested])
    feeds = random_feeds(model)
    fed = {
        entry.name: from_words(initializer_words(model, entry.name), entry.element, entry.shape)
        for entry in nested
    }
    assert same(run(lifted, {**feeds, **fed}), run(model, feeds))


def test_unnamed_nodes():
    names = [node.name for node in load(packaged("swift-f0", "model.onnx")).index.nodes]
    assert len(set(names)) == len(names) == 358
    assert "Conv#1" in names


def test_maps_as_outputs(run, same):
    path = packaged("onnxruntime-gpu", "datasets/logreg_iris.onnx")
    model = load(path)
    assert [spec.kind for spec in model.outputs] == ["tensor", "sequence"]
    feeds = {model.inputs[0].name: np.ones((3, 2), np.float32)}
    raised = raise_opset(model, 26)
    assert same(run(raised, feeds), run(path, feeds))


def test_there_are_nine_light_models():
    assert len(list(LIGHT.glob("*.onnx"))) == 9


@pytest.mark.parametrize("path", sorted(LIGHT.glob("*.onnx")), ids=lambda path: path.stem)
def test_light_models(path, identities):
    model = load(path)
    assert len(model.inputs) == 1, "weights are repeated as inputs, but are none"
    edited = identities(model, insertable(model))
    verify_untouched(model, edited)
    lifted = lift_initializers(model, model.index.initializers)
    assert len(lifted.inputs) == 1 + len(model.index.initializers)
    verify_untouched(model, lifted)
    again = load(serialize(edited).data)
    assert [node.name for node in again.index.nodes] == [node.name for node in edited.index.nodes]


@pytest.mark.parametrize("name", ["light_squeezenet", "light_shufflenet", "light_inception_v1"])
def test_light_models_raised(name):
    model = load(LIGHT / f"{name}.onnx")
    raised = raise_opset(model, 26)
    verify_untouched(model, raised)
    assert raised.ir_version == model.ir_version == 3


def test_one_light_model_runs_as_before(run, same, identities):
    path = LIGHT / "light_squeezenet.onnx"
    model = load(path)
    feeds = {"data_0": np.random.default_rng(1).standard_normal((1, 3, 224, 224), np.float32)}
    golden = run(path, feeds)
    assert same(run(identities(model, insertable(model)), feeds), golden)
    assert same(run(raise_opset(model, 26), feeds), golden)


@pytest.mark.parametrize("stem", ["lenet5_mnist", "resnet8_fashion"])
@pytest.mark.parametrize("kind", ["fp32", "fp16", "int8_qdq", "int8_qoperator", "int8_dynamic"])
def test_the_projects_own_models(stem, kind):
    path = Path(__file__).parents[2] / "models" / f"{stem}_{kind}.onnx"
    if not path.exists():
        pytest.skip(f"{path.name} has not been made")
    model = complete_types(load(path))
    index = model.index
    for node in index.nodes:
        for value in filter(None, node.outputs):
            assert index.element_of(value) is not None, value
    raised = raise_opset(model, 26)
    verify_untouched(model, raised)
    with pytest.raises(UnsupportedModelError):
        raise_opset(model, 1000)
    assert endpoints(model, model.outputs[0].name).faulty == model.outputs[0].name
