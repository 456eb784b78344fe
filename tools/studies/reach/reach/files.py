"""Real models: files that packages carry, and what to feed them."""

from __future__ import annotations

import importlib.metadata
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import onnx
from numpy.typing import NDArray

from onnxfi.faults import SiteTable, enumerate_sites, site_bits
from onnxfi.graph import load

#: Packages (requirements-models.txt, onnxruntime itself) and the endings of their files.
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
    "onnxruntime-gpu": ["datasets/logreg_iris.onnx", "datasets/mul_1.onnx"],
}
LIGHT = Path(onnx.__file__).parent / "backend" / "test" / "data" / "light"
ZOO = Path(__file__).resolve().parents[4] / "models"

Arrays = dict[str, NDArray[Any]]


@dataclass(frozen=True, slots=True, kw_only=True)
class RealModel:
    """A file and a few feeds that together take all of its branches.

    Attributes:
        name: Package and file.
        path: The file.
        feeds: Arrays by input name, one set a branch.
    """

    name: str
    path: Path
    feeds: tuple[Arrays, ...] = field(repr=False)


def real_models() -> Iterator[RealModel]:
    """All files that are installed, small ones first."""
    found = [*_packaged(), *_light(), *_zoo()]
    yield from sorted(found, key=lambda model: model.path.stat().st_size)


def bits_of(model: RealModel) -> tuple[SiteTable, dict[str, int]]:
    """Sites of a model and what is left out of its stored data, and the bits of both.

    The bits go by the name of a reason, those of sites by ``sites``.
    """
    loaded = load(model.path)
    table = enumerate_sites(loaded.index, loaded.inputs, loaded.outputs)
    bits = {"sites": sum(site_bits(site) for site in table.sites if site.kind.stored)}
    for left in table.left_out:
        if left.bits:
            bits[left.reason] = bits.get(left.reason, 0) + left.bits
    settings = sum(loaded.index.settings.values())
    return table, {**bits, "settings of operators": settings} if settings else bits


def packaged(package: str, ending: str) -> Path | None:
    """A file of a package, which is never imported; None where it is not installed."""
    try:
        files = importlib.metadata.files(package) or []
    except importlib.metadata.PackageNotFoundError:
        return None
    return next((Path(str(f.locate())) for f in files if str(f).endswith(ending)), None)


def _packaged() -> Iterator[RealModel]:
    for package, endings in PACKAGED.items():
        for ending in endings:
            path = packaged(package, ending)
            if path is not None:
                name = f"{package}/{ending.rpartition('/')[2]}"
                yield RealModel(name=name, path=path, feeds=_feeds(name))


def _light() -> Iterator[RealModel]:
    for path in LIGHT.glob("*.onnx"):
        proto = onnx.load(path, load_external_data=False)
        stored = {tensor.name for tensor in proto.graph.initializer}
        (given,) = (value for value in proto.graph.input if value.name not in stored)
        shape = [dim.dim_value for dim in given.type.tensor_type.shape.dim]
        yield RealModel(name=f"onnx/{path.name}", path=path, feeds=({given.name: _noise(*shape)},))


def _zoo() -> Iterator[RealModel]:
    for path in ZOO.glob("*.onnx"):
        data = "fashion" if "fashion" in path.name else "mnist"
        with np.load(ZOO / f"{data}_test1000.npz") as images:
            feeds = {key: images[key][:2] for key in images if key != "labels"}
        yield RealModel(name=f"models/{path.name}", path=path, feeds=(feeds,))


def _noise(*shape: int) -> NDArray[np.float32]:
    return np.random.default_rng(0).standard_normal(shape, np.float32)


def _voice(rate: int, file: str) -> Arrays:
    """A chirp for the voice detectors, whose two halves are for two sampling rates.

    The state is not zero, which would leave what it is multiplied with without a part.
    """
    samples = 576 if rate == 16000 else 288
    time = np.arange(3 * samples) / rate
    sound = (0.3 * np.sin(2 * np.pi * (200 + 2000 * time) * time)).astype(np.float32)
    if "sequence" in file:
        carried = {name: 0.1 * _noise(1, 1, 128) for name in "hc"}
        return {"input": sound.reshape(3, samples), **carried}
    # Where the file calls the middle axis of the state its batch, samples come first here.
    named = file not in ("silero_vad.onnx", "silero_vad_openvino_16k.onnx")
    state = 0.1 * _noise(1, 2, 128) if named else 0.1 * _noise(2, 1, 128)
    fed = {"input": sound[None, :samples], "state": state}
    both = file in ("silero_vad.onnx", "silero_vad_op18_ifless.onnx", "silero_vad_16k_op15.onnx")
    return {**fed, "sr": np.array(rate, np.int64)} if both else fed


def _feeds(name: str) -> tuple[Arrays, ...]:
    package, _, file = name.partition("/")
    if package == "magika":
        return ({"bytes": np.random.default_rng(0).integers(0, 256, (2, 2048), np.int32)},)
    if package == "rapidocr-onnxruntime":
        return ({"x": _noise(1, 3, 48, 192) if "det" not in file else _noise(1, 3, 64, 64)},)
    if package == "basic-pitch":
        return ({"serving_default_input_2:0": 0.1 * _noise(1, 43844, 1)},)
    if package == "swift-f0":
        tone = np.sin(2 * np.pi * 220 * np.arange(8000) / 16000).astype(np.float32)
        pitch = {"fmin": np.float32(50), "fmax": np.float32(2000)}
        return ({"audio": tone[None], **{name: np.array(hz) for name, hz in pitch.items()}},)
    if package == "onnxruntime-gpu":
        return ({"float_input": _noise(3, 2)} if "iris" in file else {"X": _noise(3, 2)},)
    both = file in ("silero_vad.onnx", "silero_vad_op18_ifless.onnx")
    return tuple(_voice(rate, file) for rate in ((16000, 8000) if both else (16000,)))
