"""Derives the variants of a float32 model in other formats; the three 8-bit ones are made here."""

from __future__ import annotations

import logging
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import onnx
from onnxruntime.quantization import (
    CalibrationDataReader,
    QuantFormat,
    QuantType,
    quantize_dynamic,
    quantize_static,
)
from onnxruntime.quantization.shape_inference import quant_pre_process
from onnxruntime.transformers.float16 import convert_float_to_float16

from zoo.data import Images
from zoo.export import INPUT
from zoo.narrow import bfloat16, int4
from zoo.tidy import tidied

CALIBRATION_IMAGES = 320
"""Training images that set the activation ranges of the static variants."""


class _Reader(CalibrationDataReader):
    """Hands the calibration pictures to the quantiser, 32 at a time."""

    def __init__(self, images: Images) -> None:
        batches = np.split(images[:CALIBRATION_IMAGES], CALIBRATION_IMAGES // 32)
        self._feeds: Iterator[dict[str, Images]] = iter([{INPUT: batch} for batch in batches])

    def get_next(self) -> dict[str, Images] | None:
        return next(self._feeds, None)


def half(model: onnx.ModelProto, images: Images) -> onnx.ModelProto:
    """Float16 weights and arithmetic; input and output stay float32."""
    del images
    return tidied(
        convert_float_to_float16(
            onnx.ModelProto.FromString(model.SerializeToString()), keep_io_types=True
        )
    )


def int8_qdq(model: onnx.ModelProto, images: Images) -> onnx.ModelProto:
    """Static 8 bit, QuantizeLinear/DequantizeLinear around float operators."""
    return _static(model, images, QuantFormat.QDQ)


def int8_qoperator(model: onnx.ModelProto, images: Images) -> onnx.ModelProto:
    """Static 8 bit, QLinear operators."""
    return _static(model, images, QuantFormat.QOperator)


def int8_dynamic(model: onnx.ModelProto, images: Images) -> onnx.ModelProto:
    """8-bit weights, activation ranges found at run time (ConvInteger, MatMulInteger)."""
    del images

    def convert(source: Path, target: Path) -> None:
        # onnxruntime's CPU ConvInteger takes unsigned weights only.
        quantize_dynamic(source, target, weight_type=QuantType.QUInt8)

    return _through_files(model, convert)


def _static(model: onnx.ModelProto, images: Images, form: QuantFormat) -> onnx.ModelProto:
    def convert(source: Path, target: Path) -> None:
        # Signed activations would leave most convolutions in float on x86: keep them unsigned.
        quantize_static(
            source,
            target,
            _Reader(images),
            quant_format=form,
            per_channel=True,
            activation_type=QuantType.QUInt8,
            weight_type=QuantType.QInt8,
        )

    return _through_files(model, convert)


def _through_files(
    model: onnx.ModelProto, convert: Callable[[Path, Path], None]
) -> onnx.ModelProto:
    """Pre-process and convert: onnxruntime's quantisers work from file to file."""
    logging.getLogger().setLevel(logging.ERROR)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        onnx.save_model(model, folder / "float.onnx")
        quant_pre_process(folder / "float.onnx", folder / "prepared.onnx")
        convert(folder / "prepared.onnx", folder / "int8.onnx")
        return tidied(onnx.load_model(folder / "int8.onnx"))


VARIANTS: dict[str, Callable[[onnx.ModelProto, Images], onnx.ModelProto]] = {
    "fp16": half,
    "bf16": bfloat16,
    "int4": int4,
    "int8_qdq": int8_qdq,
    "int8_qoperator": int8_qoperator,
    "int8_dynamic": int8_dynamic,
}
"""File name suffix of each derived variant and the function that makes it."""
