"""Every stored bit of real models within reach: all files counted, the quick ones faulted."""

from __future__ import annotations

import pytest
from reach.files import RealModel, bits_of, real_models
from reach.landing import reach
from reach_bits import markdown

from onnxfi.bits import format_of, has_format
from onnxfi.graph import load

MODELS = {model.name: model for model in real_models()}
#: What may hold floats and be no site: numbers that are never read, or read for no computation.
NOT_LEARNED = ("not read by any operator", "empty tensor", "structural: ")
#: Sites in which no fault changes anything, by file: why.
DEAD = {
    # At 16 kHz and 8 kHz with a state of its own: the branch that makes a first state is not taken.
    "silero-vad/silero_vad_half.onnx": 1,
    "silero-vad/silero_vad_16k_op15.onnx": 1,
    # onnxruntime takes the scale of a quantized bias to be the product of the other two.
    "models/lenet5_mnist_int8_qdq.onnx": 6,
}
QUICK = (
    "onnxruntime-gpu/mul_1.onnx",
    "onnxruntime-gpu/logreg_iris.onnx",
    "models/lenet5_mnist_int8_dynamic.onnx",
    "models/lenet5_mnist_pruned90_sparse.onnx",
    "models/lenet5_mnist_fp16.onnx",
    "silero-vad/silero_vad_16k_sequence.onnx",
    "silero-vad/silero_vad_openvino_16k.onnx",
)
SLOWER = (
    "models/lenet5_mnist_int8_qdq.onnx",
    "silero-vad/silero_vad_half.onnx",
    "silero-vad/silero_vad_16k_op15.onnx",
    "magika/model.onnx",
    "onnx/light_squeezenet.onnx",
)


def _model(name: str) -> RealModel:
    if name not in MODELS:
        pytest.skip(f"{name} is not installed (requirements-models.txt)")
    return MODELS[name]


@pytest.mark.parametrize("name", MODELS)
def test_whatever_may_be_learned_is_a_site(name: str) -> None:
    """All stored data is a site or left out, and no float is left out that is computed with."""
    model = MODELS[name]
    loaded = load(model.path)
    table, bits = bits_of(model)
    sites = {site.name for site in table.sites}
    left = {each.name: each.reason for each in table.left_out}
    for data in loaded.index.stored.values():
        assert (data.name in sites) != (data.name in left)
        floats = data.element is not None and has_format(data.element)
        if floats and "exponent" in format_of(data.element).fields and data.name in left:
            assert left[data.name].startswith(NOT_LEARNED), data.name
    stored = sum(8 * data.nbytes for data in loaded.index.stored.values())
    settings = sum(loaded.index.settings.values())
    # Packed elements end within a byte.
    assert abs(sum(bits.values()) - stored - settings) < 8 * len(loaded.index.stored) + 8


@pytest.mark.parametrize(
    "name", [*QUICK, *(pytest.param(name, marks=pytest.mark.heavy) for name in SLOWER)]
)
def test_faults_land_and_leave_no_trace(name: str) -> None:
    found = reach(_model(name))
    assert found.clean
    assert set(found.landings) == {site.name for site in found.stored}
    assert len(found.dead) == DEAD.get(name, 0)
    for landing in found.dead:
        assert landing.tried >= 8
    landed = [landing.landed for landing in found.landings.values() if landing.landed]
    assert all("element" in text for text in landed)


def test_the_table_of_the_tool() -> None:
    line = {"file": "f", "sites": 1234, "share": 0.5, "single": 1, "harder": 2, "dead": []}
    text = markdown([line | {"clean": False}])
    assert text.splitlines()[-1] == "| f | 1,234 | 50.0 % | 1 | 2 | 0 | NO |"
